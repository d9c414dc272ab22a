// The life of daemons and jobs: stopping in order, cancelling, following, several at once.

import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { JobView } from "../../agent/control/daemon.ts";
import { addFault } from "../../emulator/mod.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { Bed, COMMAND_MS } from "./bed.ts";
import { until, within } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";
import { Program } from "./program.ts";

const TIMEOUT_MS = 120_000;
/** Until the thread of a cancelled job is gone. */
const SETTLE_MS = 30_000;
const MIB = 1024 * 1024;

describe("lifecycle", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  /** Both daemons, and data whose backup takes a second or so. */
  async function startWithData(count = 20): Promise<Bed> {
    bed = await Bed.started();
    await makeRandomFiles(bed.path("data"), { count, bytes: 8 * MIB });
    return bed;
  }

  /** An array on which that backup takes many times as long as a command takes to start. */
  async function startWithSlowArray(): Promise<Bed> {
    const bed = await startWithData();
    addFault(bed.path("array"), { kind: "latency", latency: "5ms" }, await currentRuntime());
    return bed;
  }

  function args(bed: Bed, path = "data"): string[] {
    const control = ["--control", `unix:${bed.socket("server")}`];
    return ["backup", "filesystem", "--client", "web01", bed.path(path), "--json", ...control];
  }

  async function expectNothingPublished(bed: Bed): Promise<void> {
    expect((await bed.json("server", "backups")).lines).toEqual([]);
    // What was cut stays for the next backup of the source to go on with.
    const names = readdirSync(bed.path("vault", "media"));
    expect(names.filter((name) => !name.endsWith(".partial"))).toEqual([]);
  }

  for (const side of ["server", "client"]) {
    test(
      `SIGTERM of the ${side} during a backup: reported, exit 0, nothing published`,
      async () => {
        const bed = await startWithData();
        await using command = new Program(args(bed));
        await bed.moving("server");
        const { code, stderr } = await bed.stop(side);
        expect(code).toBe(0);
        expect(stderr).toContain("stopped");
        const ended = await within(COMMAND_MS, "the end of the command", command.ended);
        expect(ended.code).not.toBe(0);
        expect(ended.stdout).toContain('"type":"summary"');
        expect(ended.stdout).toContain('"status":"failed"');
        expect(ended.stderr).toContain("cancelled");
        await bed.start(side);
        await expectNothingPublished(bed);
        await bed.job("server", "backup", "filesystem", "--client", "web01", bed.path("data"));
      },
      TIMEOUT_MS,
    );
  }

  for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`${signal} at the command cancels the job: exit ${expected}`, async () => {
      const bed = await startWithData();
      await using command = new Program(args(bed));
      await bed.moving("server");
      command.kill(signal);
      const ended = await within(COMMAND_MS, "the end of the command", command.ended);
      expect(ended.code).toBe(expected);
      expect(ended.stdout).toContain('"status":"failed"');
      expect((await bed.endedJobs("server")).map(({ state }) => state)).toEqual(["cancelled"]);
      const onClient = await bed.endedJobs("client");
      expect(onClient.map(({ state }) => state)).toEqual(["cancelled"]);
      await expectNothingPublished(bed);
    }, TIMEOUT_MS);
  }

  test("agent cancel, from either side, by a prefix of the job's name", async () => {
    const bed = await startWithSlowArray();
    for (const side of ["server", "client"]) {
      await using command = new Program(args(bed));
      const { job } = await bed.moving("server");
      const { code } = await bed.json(side, "cancel", job.slice(0, 6));
      expect(code).toBe(0);
      const ended = await within(COMMAND_MS, "the end of the command", command.ended);
      expect(ended.code).toBe(130);
      expect((await bed.get<JobView>("server", `/v1/jobs/${job}`)).state).toBe("cancelled");
      await expectNothingPublished(bed);
      // Cancelling what has ended changes nothing.
      expect((await bed.json(side, "cancel", job)).code).toBe(0);
    }
  }, TIMEOUT_MS);

  test("a snapshot whose job is cancelled while SQLite copies is removed", async () => {
    const started = bed = await Bed.started();
    const application = new DatabaseSync(started.path("app.db"));
    try {
      // The copy waits for it, and hears of nothing meanwhile.
      application.exec("CREATE TABLE t (x); BEGIN EXCLUSIVE");
      const control = ["--control", `unix:${started.socket("client")}`];
      await using command = new Program(["backup", "database", "app", ...control]);
      const snapshots = () => readdirSync(started.folder).filter((name) => /snapshot/.test(name));
      await until(COMMAND_MS, "a snapshot", () => snapshots().length > 0 ? true : null);
      command.kill("SIGTERM");
      expect((await within(COMMAND_MS, "the end of the command", command.ended)).code).toBe(143);
      await until(SETTLE_MS, "the end of the snapshot", () => snapshots().length > 0 ? null : true);
    } finally {
      application.close();
    }
  }, TIMEOUT_MS);

  test("jobs, job --follow, trace, show, ls and verify tell of a backup", async () => {
    const bed = await startWithData();
    await using command = new Program(args(bed));
    const { job } = await bed.moving("server");
    const followed = await bed.json("server", "job", job, "--follow");
    expect(followed.code).toBe(0);
    expect(followed.summary).toMatchObject({ job, status: "ok" });
    expect((await command.ended).code).toBe(0);
    const backup = followed.summary?.backup ?? "";
    const listed = (await bed.json("server", "jobs")).lines;
    expect(listed).toMatchObject([{ job, kind: "backup-filesystem", state: "ok" }]);
    const shown = await bed.json("server", "show", backup);
    expect(shown.lines[0]).toMatchObject({ backup, client: "web01", paths: [bed.path("data")] });
    const { lines } = await bed.json("server", "ls", backup, bed.path("data"));
    expect(lines.length).toBe(20);
    expect(lines[0]).toMatchObject({ type: "file", bytes: 8 * MIB });
    expect((await bed.json("server", "verify", "--data", backup)).code).toBe(0);
    const ladder = await bed.run(["trace", job], "server");
    for (const step of ["82", "118", "126", "138", "146", "172"]) {
      expect(ladder.stdout).toMatch(new RegExp(`\\b${step}\\b`));
    }
    for (const words of [["status"], ["jobs"], ["job", job], ["backups"], ["show", backup]]) {
      const { code, stdout } = await bed.run(words, "server");
      expect(`${words[0]} ${code} ${stdout.length > 20}`).toBe(`${words[0]} 0 true`);
    }
  }, TIMEOUT_MS);

  test("two jobs at once do not mix", async () => {
    const bed = await startWithData(12);
    await makeRandomFiles(bed.path("other"), { count: 12, bytes: 8 * MIB });
    const both = await Promise.all(
      ["data", "other"].map((path) => bed.job("server", ...args(bed, path).slice(0, 5))),
    );
    for (const [index, path] of ["data", "other"].entries()) {
      const summary = both[index];
      expect(summary).toMatchObject({ status: "ok", bytes: 96 * MIB, fallback: null });
      expect(summary?.channels.storage.bytes).toBeLessThan(1.1 * 96 * MIB);
      const target = bed.path(`back-${path}`);
      await bed.job("server", "restore", summary?.backup ?? "", "--target", target);
      expect(await differences(bed.path(path), `${target}${bed.path(path)}`)).toEqual([]);
    }
  }, TIMEOUT_MS);
});
