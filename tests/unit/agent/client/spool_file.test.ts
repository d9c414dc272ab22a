// Snapshots that a crash left behind: each client removes its own and nothing else.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { clearSpool, pipesPath, SpoolFile } from "../../../../agent/client/spool_file.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { files } = await currentRuntime();
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agent-spool-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("SpoolFile", () => {
  test("is gone with all that SQLite put beside it when it is disposed of", () => {
    {
      using spool = new SpoolFile(files, { directory, client: "web01", job: "j1" });
      for (const suffix of ["", "-wal", "-shm"]) writeFileSync(spool.path + suffix, "x");
    }
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe("clearSpool()", () => {
  test("removes this client's snapshots and leaves those of others", () => {
    const { path } = new SpoolFile(files, { directory, client: "web01", job: "j1" });
    const other = new SpoolFile(files, { directory, client: "web02", job: "j1" });
    for (const name of [path, `${path}-wal`, other.path]) writeFileSync(name, "x");
    expect(clearSpool(files, { directory, client: "web01" })).toEqual([]);
    expect(readdirSync(directory)).toEqual(["agent-web02-j1.snapshot"]);
  });

  test("removes the named pipes of this client's jobs with their directories", () => {
    for (const client of ["web01", "web02"]) {
      const pipes = pipesPath({ directory, client, job: "j1" });
      mkdirSync(pipes);
      writeFileSync(join(pipes, "1"), "");
    }
    expect(clearSpool(files, { directory, client: "web01" })).toEqual([]);
    expect(readdirSync(directory)).toEqual(["agent-web02-j1.pipes"]);
  });

  test("removes what one job left, and nothing of others", () => {
    const place = { directory, client: "web01" };
    for (const job of ["j1", "j12"]) {
      const { path } = new SpoolFile(files, { ...place, job });
      for (const suffix of ["", "-journal"]) writeFileSync(path + suffix, "x");
      mkdirSync(pipesPath({ ...place, job }));
    }
    expect(clearSpool(files, { ...place, job: "j1" })).toEqual([]);
    const left = ["agent-web01-j12.pipes", "agent-web01-j12.snapshot"];
    expect(readdirSync(directory).sort()).toEqual([...left, `${left[1]}-journal`]);
  });

  test("tells what it cannot remove and goes on", () => {
    const { path } = new SpoolFile(files, { directory, client: "web01", job: "a" });
    mkdirSync(path);
    writeFileSync(join(directory, "agent-web01-b.snapshot"), "x");
    expect(clearSpool(files, { directory, client: "web01" })).toEqual([`"${path}" (EISDIR)`]);
    expect(readdirSync(directory)).toEqual(["agent-web01-a.snapshot"]);
  });

  test("finds nothing in a directory that is missing", () => {
    expect(clearSpool(files, { directory: join(directory, "none"), client: "web01" })).toEqual([]);
  });
});
