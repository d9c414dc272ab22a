// A restore from media of which a frame is damaged: both sides end as incomplete, the server names
// what is lost, and everything else is restored.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { MediaReader } from "../../agent/media/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { JobBed } from "./job_bed.ts";

const MIB = 1024 * 1024;
const BACKUP = "web01-20260101T000000Z-aaaaaa";

describe("a restore from damaged media", () => {
  test("leaves out and names what lies in the damaged frame", async () => {
    await using bed = await JobBed.open();
    mkdirSync(bed.path("data"));
    for (const name of ["a", "b", "c"]) bed.writeFile(`data/${name}`, 3 * MIB);
    const paths = [bed.path("data")];
    await bed.run({ type: "backup", backup: BACKUP, paths, exclude: [], full: true });
    const path = bed.path("vault", "media", `${BACKUP}.tar.zst`);
    using media = new MediaReader(runtime.files, path);
    // Half way into "b": it begins in sound frames.
    const place = media.frames[media.frames.length >> 1];
    const bytes = readFileSync(path);
    const at = (place?.mediaOffset ?? 0) + 1000;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const target = bed.path("restored");
    const restore = { type: "restore", backup: BACKUP, include: [], overwrite: "refuse" } as const;
    const [server, client] = await bed.run({ ...restore, target });
    expect([server.error, client.error]).toEqual([null, null]);
    expect([server.result?.status, client.result?.status]).toEqual(["incomplete", "incomplete"]);
    expect(server.warnings).toEqual([`damaged ${bed.path("data", "b")}`]);
    const restored = `${target}${bed.path("data")}`;
    expect(readdirSync(restored).sort()).toEqual(["a", "c"]);
    for (const name of ["a", "c"]) {
      const same = readFileSync(`${restored}/${name}`).equals(readFileSync(bed.path("data", name)));
      expect([name, same]).toEqual([name, true]);
    }
    expect(existsSync(`${restored}/b`)).toBe(false);
  });
});
