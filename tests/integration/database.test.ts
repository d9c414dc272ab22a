// Backup and restore of an SQLite database between two real processes while an application writes
// to it: what comes back is one consistent state, and no TCP connection carries any of it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { BackupView, JobView, TraceStep } from "../../agent/control/daemon.ts";
import { Bed } from "./bed.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { scriptCommand, Started } from "./program.ts";
import { BALANCE, makeDatabase, readDatabase } from "./sqlite_writer.ts";
import { tcpConnections } from "./tcp_connections.ts";

const TIMEOUT_MS = 120_000;

/** Large enough that a test can look while the data moves. */
const BULK_MIB = 128;
const MIB = 1024 * 1024;

/** A database job may send this much over the network: the set-up of its connection. */
const NETWORK_BYTES_MAX = 64 * 1024;

/** Each writes a line into a file of the bed. */
const HOOKS = ["pre", "post"].reduce((keys, hook) => {
  const say = 'echo "$AGENT_HOOK $AGENT_KIND $AGENT_DATABASE $AGENT_STATUS" >> hooks';
  return `${keys}  ${hook}: { command: [sh, -c, '${say}'] }\n`;
}, "hooks:\n");

describe("database backup and restore", () => {
  let bed: Bed;
  let writer: Started | null = null;
  let job: JobView;
  let backup: string;

  beforeAll(async () => {
    bed = await Bed.started({ clientKeys: HOOKS });
    makeDatabase(bed.path("app.db"), BULK_MIB);
    writer = new Started(scriptCommand("tests/integration/sqlite_writer.ts", bed.path("app.db")));
    await writer.waitFor(/writing/);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await writer?.[Symbol.asyncDispose]();
    await bed?.[Symbol.asyncDispose]();
  });

  test("no TCP connection exists between the processes while data moves", async () => {
    const pids = [bed.daemon("server").pid, bed.daemon("client").pid];
    expect(tcpConnections(pids)).toEqual([]);
    const running = bed.job("client", "backup", "database", "app");
    running.catch(() => {}); // Taken below.
    job = await bed.moving("client");
    const path = `/v1/jobs/${job.job}`;
    let looks = 0;
    // A look counts when the job moves data before and after it.
    for (let before = job; before.state === "running"; looks += 1) {
      const connections = tcpConnections(pids);
      before = await bed.get<JobView>("client", path);
      if (before.state === "running") expect(connections).toEqual([]);
    }
    expect(looks).toBeGreaterThan(2);
    const summary = await running;
    expect(summary).toMatchObject({ job: job.job, status: "ok", fallback: null });
    expect(summary.channels.network.bytes).toBeGreaterThan(0);
    expect(summary.channels.network.bytes).toBeLessThan(NETWORK_BYTES_MAX);
    expect(summary.channels.storage.bytes).toBeGreaterThan(BULK_MIB * MIB);
    backup = summary.backup ?? "";
  }, TIMEOUT_MS);

  test("a file-system backup has TCP connections: the look above sees them", async () => {
    await makeRandomFiles(bed.path("files"), { count: 4, bytes: 24 * MIB });
    const pids = [bed.daemon("server").pid, bed.daemon("client").pid];
    const paths = ["--client", "web01", bed.path("files")];
    const running = bed.job("server", "backup", "filesystem", ...paths);
    running.catch(() => {}); // Taken below.
    await bed.moving("server");
    expect(tcpConnections(pids).length).toBeGreaterThanOrEqual(4);
    await running;
  }, TIMEOUT_MS);

  test("the trace shows that both sides closed the network: 214 and 246", async () => {
    for (const side of ["server", "client"]) {
      const { lines } = await bed.json(side, "trace", job.job);
      const steps = lines.map((line): Partial<TraceStep> => line);
      const done = steps.filter((step) => step.figure === "5" && step.skipped === false);
      expect(done.find(({ step }) => step === "214")).toMatchObject({ side: "client" });
      expect(done.find(({ step }) => step === "246")).toMatchObject({ side: "server" });
    }
    const ladder = await bed.run(["trace", job.job], "client");
    expect(ladder.stdout).toMatch(/\b214\b[^]*\b246\b|\b246\b[^]*\b214\b/);
  }, TIMEOUT_MS);

  test("restore --target brings one consistent state, with what was only in the log", async () => {
    copyFileSync(bed.path("app.db"), bed.path("main-file-only.db"));
    expect(readDatabase(bed.path("main-file-only.db")).lastNumber).toBe(0);
    const target = bed.path("restored");
    const how = ["--database", "app", "--target", target];
    const summary = await bed.job("client", "restore", backup, ...how);
    expect(summary).toMatchObject({ status: "ok", fallback: null });
    expect(summary.channels.network.bytes).toBeLessThan(NETWORK_BYTES_MAX);
    expect(readdirSync(target)).toEqual(["app.db"]);
    const facts = readDatabase(`${target}/app.db`);
    expect(facts).toMatchObject({ integrity: "ok", balance: BALANCE, bulkBytes: BULK_MIB * MIB });
    expect(facts.lastNumber).toBeGreaterThanOrEqual(20);
    expect(facts.counter).toBe(facts.lastNumber);
  }, TIMEOUT_MS);

  test("restore --target refuses a directory that is not empty", async () => {
    const target = bed.path("restored");
    const how = ["--database", "app", "--target", target];
    const result = await bed.json("client", "restore", backup, ...how);
    expect(result.code).toBe(1);
    expect(result.error?.message).toContain("need it empty");
    expect(readdirSync(target)).toEqual(["app.db"]);
  }, TIMEOUT_MS);

  test("restore in place is refused while an application has the database open", async () => {
    const before = readDatabase(bed.path("app.db")).lastNumber;
    const result = await bed.json("client", "restore", backup, "--database", "app");
    expect(result.code).toBe(11);
    expect(result.error?.message).toContain("app.db");
    expect(readDatabase(bed.path("app.db")).lastNumber).toBeGreaterThanOrEqual(before);
  }, TIMEOUT_MS);

  test("restore in place replaces the database whole", async () => {
    await writer?.[Symbol.asyncDispose]();
    const target = readDatabase(bed.path("restored", "app.db"));
    expect(readDatabase(bed.path("app.db")).lastNumber).toBeGreaterThan(target.lastNumber);
    await bed.job("client", "restore", "latest:app", "--database", "app");
    expect(readDatabase(bed.path("app.db"))).toEqual(target);
    expect(statSync(bed.path("app.db")).size).toBeGreaterThan(BULK_MIB * MIB);
    for (const side of ["-wal", "-shm", "-journal"]) {
      expect(existsSync(bed.path(`app.db${side}`))).toBe(false);
    }
  }, TIMEOUT_MS);

  test("the client's hooks ran around each backup, and around no restore", () => {
    const said = readFileSync(bed.path("hooks"), "utf8").trimEnd().split("\n");
    const filesystem = ["pre filesystem  running", "post filesystem  ok"];
    expect(said).toEqual(["pre sqlite app running", "post sqlite app ok", ...filesystem]);
  });

  test("the catalog tells databases from files, and the wrong door is refused", async () => {
    const { lines } = await bed.json("server", "backups");
    const views = lines.map((line): Partial<BackupView> => line);
    expect(views.map(({ kind, database }) => ({ kind, database }))).toEqual([
      { kind: "sqlite", database: "app" },
      { kind: "filesystem", database: null },
    ]);
    mkdirSync(bed.path("x"));
    const asFiles = await bed.json("server", "restore", backup, "--target", bed.path("x"));
    expect(asFiles.code).toBe(2);
    expect(asFiles.error?.hint).toContain("--database app");
    const onServer = await bed.json("server", "backup", "database", "app");
    expect(onServer.code).toBe(2);
    const onClient = await bed.json("client", "backup", "filesystem", "--client", "web01", "/etc");
    expect(onClient.code).toBe(2);
    const left = readdirSync(bed.folder).filter((name) => name.includes(".snapshot"));
    expect(left).toEqual([]);
  }, TIMEOUT_MS);
});
