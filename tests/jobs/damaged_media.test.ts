// A restore from media of which a frame is damaged, or one of which is gone: both sides end as
// incomplete, the server names what is lost, and everything else is restored.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "bun:test";
import { AgentError } from "../../transport/ground/error.ts";
import { MediaReader } from "../../agent/media/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { settle } from "./data_jobs.ts";
import { JobBed } from "./job_bed.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

const MIB = 1024 * 1024;
const BACKUP = "web01-20260101T000000Z-aaaaaa";

describe("a restore from damaged media", () => {
  test("leaves out and names what lies in the damaged frame", async () => {
    await using bed = await JobBed.open();
    mkdirSync(bed.path("data"));
    for (const name of ["a", "b", "c"]) bed.writeFile(`data/${name}`, 3 * MIB);
    const paths = [bed.path("data")];
    await bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
    const path = bed.path("vault", "media", `${BACKUP}.tar.zst`);
    using media = new MediaReader(runtime.files, path);
    // Half way into "b": it begins in sound frames.
    const place = media.frames[media.frames.length >> 1];
    const bytes = readFileSync(path);
    const at = (place?.mediaOffset ?? 0) + 1000;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const target = bed.path("restored");
    const restore = {
      type: "restore",
      backup: BACKUP,
      include: [],
      overwrite: "refuse",
      dryRun: false,
    } as const;
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

  test("leaves out and names what lies in a medium that is gone, and fails without any", async () => {
    await using bed = await JobBed.open();
    mkdirSync(bed.path("data"));
    for (const name of ["a", "b"]) bed.writeFile(`data/${name}`, MIB);
    await settle();
    const paths = [bed.path("data")];
    const second = BACKUP.replace("aaaaaa", "bbbbbb");
    await bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
    bed.writeFile("data/b", MIB);
    bed.writeFile("data/c", MIB);
    await bed.run({ type: "backup", backup: second, paths, ...EVERYTHING, full: false });
    const media = (backup: string) => bed.path("vault", "media", `${backup}.tar.zst`);
    const restore = (target: string) =>
      bed.run({
        type: "restore",
        backup: second,
        include: [],
        overwrite: "refuse",
        dryRun: false,
        target: bed.path(target),
      });
    const restored = (target: string) => readdirSync(bed.path(target) + bed.path("data")).sort();

    renameSync(media(BACKUP), bed.path("first"));
    const withoutFirst = await restore("without-first");
    expect(withoutFirst.map(({ error, result }) => [error, result?.status])).toEqual([
      [null, "incomplete"],
      [null, "incomplete"],
    ]);
    expect(withoutFirst[0].warnings).toEqual([`damaged ${bed.path("data", "a")}`]);
    expect(restored("without-first")).toEqual(["b", "c"]);
    const told = withoutFirst[0].reports.find(({ type }) => type === "warning");
    expect(JSON.stringify(told)).toMatch(`${BACKUP}.tar.zst`);

    rmSync(media(second));
    const withoutBoth = await restore("without-both");
    expect(withoutBoth.map(({ error }) => error instanceof AgentError && error.code)).toEqual([
      "damaged",
      "damaged",
    ]);

    renameSync(bed.path("first"), media(BACKUP));
    const withoutSecond = await restore("without-second");
    expect(withoutSecond.map(({ result }) => result?.status)).toEqual(["incomplete", "incomplete"]);
    expect(withoutSecond[0].warnings.toSorted()).toEqual(
      ["", "/b", "/c"].map((name) => `damaged ${bed.path("data")}${name}`),
    );
    expect(restored("without-second")).toEqual(["a"]);
  });
});
