// What a full backup says of how much there will be: the client counts for the first one of a
// source, and for a later one the server knows it from the last.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { JobBed, type JobOutcome } from "./job_bed.ts";

/** Totals of the first progress that names some. */
function totalsOf({ reports }: JobOutcome): readonly (number | null)[] {
  const found = reports.find((report) => report.type === "progress" && report.totalFiles !== null);
  return found?.type === "progress" ? [found.totalFiles, found.totalBytes] : [];
}

test("a full backup takes its totals from the one before, and counts without one", async () => {
  await using bed = await JobBed.open({ channel: "network-only" });
  mkdirSync(bed.path("tree"));
  for (const name of ["a", "b", "c"]) writeFileSync(bed.path("tree", name), "content");
  const backUp = (backup: string, full: boolean) =>
    bed.run({ type: "backup", backup, paths: [bed.path("tree")], ...EVERYTHING, full });
  expect(totalsOf((await backUp("b1", true))[1])).toEqual([4, 21]);
  rmSync(bed.path("tree/c"));
  writeFileSync(bed.path("tree/b"), "changed content");
  expect(totalsOf((await backUp("b2", false))[1])).toEqual([]);
  const [server, client] = await backUp("b3", true);
  expect(totalsOf(client)).toEqual([4, 21]);
  expect(server.result).toMatchObject({ status: "ok", files: 3, bytes: 22 });
});
