// A selection on its way from the server's job over the link to the client's walk, and into the
// catalog; and a client of an earlier version, which would leave out something else.

import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { EVERYTHING, type SourceSelection } from "../../agent/source_selection.ts";
import { VaultReader } from "../../agent/vault/mod.ts";
import { REJOIN_VERSION } from "../../transport/flow/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { JobBed } from "./job_bed.ts";
import { networkTo } from "./older_client.ts";

const SELECTION: SourceSelection = {
  exclude: ["*.o", "!keep.o"],
  excludeCaches: true,
  oneFileSystem: true,
  excludeLargerThan: 1000,
  ignoreFile: ".agentignore",
};

async function open(): Promise<JobBed> {
  const bed = await JobBed.open({ channel: "network-only" });
  mkdirSync(bed.path("tree/cache"), { recursive: true });
  const tag = "Signature: 8a477f597d28d172789f06886806bc55";
  const content = { "a": "a", "a.o": "o", "keep.o": "o", "big": "b".repeat(1001), "ignored": "i" };
  for (const [name, text] of Object.entries(content)) writeFileSync(bed.path("tree", name), text);
  writeFileSync(bed.path("tree/cache/CACHEDIR.TAG"), tag);
  writeFileSync(bed.path("tree/cache/x"), "x");
  writeFileSync(bed.path("tree/.agentignore"), "ignored\na[\n");
  return bed;
}

function backUp(bed: JobBed, backup: string, selection: SourceSelection) {
  const paths = [bed.path("tree")];
  return bed.run({ type: "backup", backup, paths, ...selection, full: false });
}

describe("a backup of a selection", () => {
  test("leaves out what the server asks for, and the next one builds on it", async () => {
    await using bed = await open();
    for (const backup of ["b1", "b2"]) {
      const [server, client] = await backUp(bed, backup, SELECTION);
      expect([server.error, client.error, server.result?.status]).toEqual([null, null, "ok"]);
      expect(server.warnings).toEqual([`bad_ignore_file ${bed.path("tree/.agentignore")}`]);
    }
    using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
    expect(reader.backup("b2")).toMatchObject({ ...SELECTION, parent: "b1" });
    const rows = [...reader.parentRows("b2")].map(({ name }) => new TextDecoder().decode(name));
    const kept = [".agentignore", "a", "cache", "keep.o", "CACHEDIR.TAG"];
    expect(rows).toEqual([bed.path("tree"), ...kept]);
  });

  test("is refused where the client is of an earlier version, and only then", async () => {
    await using bed = await open();
    bed.network = networkTo(REJOIN_VERSION);
    for (const [key, value] of Object.entries(SELECTION)) {
      for (const { error } of await backUp(bed, "b1", { ...EVERYTHING, [key]: value })) {
        expect(error).toMatchObject({ code: "mismatch" });
        expect(error?.message).toContain("speaks version 2 of the job protocol, need 3");
      }
    }
    const [server] = await backUp(bed, "b1", EVERYTHING);
    expect([server.error, server.result?.files]).toEqual([null, 10]);
  });
});
