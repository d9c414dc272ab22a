// Agents and database servers are killed in the middle of pushes, backups, restores and recoveries
// of a PostgreSQL cluster that is written to: nothing that was acknowledged is lost, what is
// published is whole, and a recovery never ends before the end of the log.
//
// Each round picks an act, a victim and a moment by a seed, which is printed; with an odd seed the
// client encrypts. KILL_SEED repeats a run, KILL_ROUNDS makes it longer; the first round that fails
// is the last. `scripts/soak postgresql` runs it, the gate does not.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { BackupView, JobView } from "../../agent/control/daemon.ts";
import { ArchivingBed } from "../integration/archiving_bed.ts";
import { callControl } from "../integration/control_call.ts";
import { pause, until } from "../integration/deadline.ts";
import {
  makeServerDirectory,
  type PostgresServer,
  runTool,
} from "../integration/postgres_server.ts";
import type { ProgramResult } from "../integration/program.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";

const TIMEOUT_MS = 600_000;
const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 5);
const SEED = Number(process.env["KILL_SEED"] ?? Date.now() % 2 ** 31);

/** Milliseconds within which each act's victim dies: about as long as the act takes. */
const ACTS = { push: 1500, backup: 3000, restore: 2000, recover: 4000 } as const;
type Act = keyof typeof ACTS;
const ACT_NAMES = ["push", "backup", "restore", "recover"] as const satisfies readonly Act[];
const VICTIMS = ["server", "client", "database"] as const;

/** Milliseconds until everybody has noticed, and a recovery has replayed what there is. */
const WAIT_MS = 120_000;
const ENDED = ["ok", "incomplete", "failed", "cancelled"];

/** Units of pgbench's tables, about 15 MB each. */
const SCALE = 2;
/** Transactions per second: slowly. */
const BENCH_RATE = 40;

describe("a cluster whose agents and servers are killed", () => {
  const random = new SeededRandom(SEED);
  const isEncrypted = SEED % 2 === 1;
  let hasFailed = false;
  const kills = new Map<string, number>();
  let place: ArchivingBed;
  let first: string;
  /** Backups that were proved to be whole. */
  const proved = new Set<string>();

  beforeAll(async () => {
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const keys = `recipients: [${recipient}], identity_file: identity.txt`;
    place = await ArchivingBed.started({
      moreClients: "retention: { keep_last: 2 }\n",
      clientKeys: isEncrypted ? `encryption: { ${keys} }\n` : "",
    });
    const { bed, cluster } = place;
    writeFileSync(bed.path("identity.txt"), identity, { mode: 0o600 });
    makeServerDirectory(bed.path("acknowledged"));
    const note = `sha256sum < %p > ${bed.path("acknowledged")}/%f`;
    cluster.configure(`archive_command = '${place.push} && ${note}'\n`);
    cluster.start();
    cluster.sql("CREATE TABLE steps (n int GENERATED ALWAYS AS IDENTITY)");
    cluster.benchFill(SCALE);
    first = await backUp();
    proved.add(first);
    await bed.call(["pin", first], "server");
  }, TIMEOUT_MS);

  afterAll(async () => {
    await place?.[Symbol.asyncDispose]();
    const counts = [...kills].sort().map(([what, count]) => `${what} ${count}`).join(", ");
    process.stdout.write(`seed ${SEED}, kills: ${counts}\n`);
  });

  async function backUp(): Promise<string> {
    const { backup, status } = await place.bed.job("client", "backup", "database", "pg");
    expect(status).toBe("ok");
    return backup ?? "";
  }

  function writeLog(): void {
    const { cluster } = place;
    for (let count = 1 + random.below(3); count > 0; count -= 1) {
      cluster.sql("INSERT INTO steps DEFAULT VALUES; SELECT pg_switch_wal()");
    }
  }

  async function post(body: unknown): Promise<string> {
    const { bed } = place;
    const posted = await callControl(bed.socket("client"), "/v1/jobs", { method: "POST", body });
    expect(posted.status).toBeLessThan(300);
    return (JSON.parse(posted.body) as JobView).job;
  }

  function restoreTo(target: string, recovery: unknown): Promise<string> {
    const request = { backup: "latest:pg", database: "pg", target, recovery };
    return post({ kind: "restore-database", ...request });
  }

  async function kill(act: Act, victim: typeof VICTIMS[number], server: PostgresServer) {
    if (victim !== "database") await place.bed.stop(victim, "SIGKILL");
    else if (!await server.kill()) return;
    kills.set(`${act}/${victim}`, 1 + (kills.get(`${act}/${victim}`) ?? 0));
  }

  /** Brings everything back, and waits for the end of what was under way. */
  async function recoverHosts(victim: typeof VICTIMS[number], isCluster: boolean) {
    const { bed, cluster } = place;
    if (victim !== "database") await place.start(victim);
    else if (isCluster) cluster.start();
    for (const side of ["server", "client"]) {
      await until(WAIT_MS, `the end of the jobs of ${side}`, async () => {
        const jobs = (await bed.jobs(side)).filter(({ kind }) => kind !== "archive-wal");
        return jobs.every(({ state }) => ENDED.includes(state)) ? true : null;
      });
    }
  }

  /** Each segment that PostgreSQL was told is archived is so, with the bytes that it had. */
  function expectAcknowledged(): void {
    const folder = place.bed.path("acknowledged");
    for (const name of readdirSync(folder)) {
      const [digest = ""] = readFileSync(join(folder, name), "utf8").split(" ");
      if (digest.length < 64) continue; // The server died before it was told.
      const kept = contentOf(place.archived(name));
      expect([name, createHash("sha256").update(kept).digest("hex")]).toEqual([name, digest]);
      rmSync(join(folder, name)); // Proved: the next round need not look again.
    }
  }

  /** What stock tools read of a file of the archive. */
  function contentOf(path: string): Uint8Array {
    const plain = isEncrypted ? 'tail -c +65 "$1" | age -d -i "$2"' : 'cat "$1"';
    const script = `set -o pipefail; ${plain} | zstd -dc`;
    const words = ["-c", script, "bash", path, place.bed.path("identity.txt")];
    return execFileSync("bash", words, { maxBuffer: 2 ** 30 });
  }

  /** It may warn that content was not decrypted. */
  function expectGood({ code, stderr }: ProgramResult): void {
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  }

  /** Restores what was published and not yet proved; nothing else lies beside the media. */
  async function expectPublishedWhole(): Promise<void> {
    const { bed } = place;
    const { lines } = await bed.call(["backups", "--json"], "server");
    const backups = lines.map((line): Partial<BackupView> => line);
    for (const { backup = "" } of backups) {
      if (proved.has(backup)) continue;
      const target = bed.path("proof");
      await bed.job("client", "restore", backup, "--database", "pg", "--target", target);
      expect(runTool("pg_verifybackup", ["-q", target])).toBe("");
      rmSync(target, { recursive: true });
      proved.add(backup);
    }
    const wanted = backups.flatMap(({ backup }) => [`${backup}.tar.zst`, `${backup}.wal`]);
    const names = readdirSync(bed.path("vault", "media"));
    expect(names.sort()).toEqual([...wanted, `${first}.pinned`].sort());
    const verified = await bed.call(["verify", "--data", "--json"], "server");
    expectGood(verified);
  }

  /** A restore that was cut short does not start, and one that has all it needs is whole. */
  async function expectWholeOrNothing(job: string, target: string): Promise<void> {
    const jobs = await place.bed.jobs("client");
    const isOk = jobs.find((one) => one.job === job)?.state === "ok";
    const hasControl = existsSync(join(target, "global", "pg_control"));
    if (isOk) expect(hasControl).toBe(true);
    if (hasControl) expect(runTool("pg_verifybackup", ["-q", target])).toBe("");
    rmSync(target, { recursive: true, force: true });
  }

  async function killInPush(victim: typeof VICTIMS[number], momentMs: number): Promise<void> {
    writeLog();
    await pause(momentMs);
    await kill("push", victim, place.cluster);
    expectAcknowledged();
    await recoverHosts(victim, true);
  }

  async function killInBackup(victim: typeof VICTIMS[number], momentMs: number): Promise<void> {
    await using clients = place.cluster.benchLoad(BENCH_RATE);
    await post({ kind: "backup-database", database: "pg" });
    await pause(momentMs);
    await kill("backup", victim, place.cluster);
    clients.kill("SIGINT");
    await recoverHosts(victim, true);
  }

  async function killInRestore(victim: typeof VICTIMS[number], momentMs: number): Promise<void> {
    const target = place.bed.path("target");
    const job = await restoreTo(target, null);
    await pause(momentMs);
    await kill("restore", victim, place.cluster);
    await recoverHosts(victim, true);
    await expectWholeOrNothing(job, target);
  }

  /** The restored server is killed, or those that it fetches its log by; it ends with every row. */
  async function killInRecovery(victim: typeof VICTIMS[number], momentMs: number): Promise<void> {
    const { bed, cluster } = place;
    writeLog();
    await place.switchLog();
    const rows = cluster.sql("SELECT count(*) FROM steps");
    const target = bed.path("target");
    const recovery = ["--to-latest", "--timeline", "current"];
    const restore = ["restore", "latest:pg", "--database", "pg", "--target", target, ...recovery];
    await bed.job("client", ...restore);
    const restored = place.restored(target, { socket: bed.path("restored-run") });
    restored.launch();
    await pause(momentMs);
    await kill("recover", victim, restored);
    await recoverHosts(victim, false);
    await until(WAIT_MS, "the end of the recovery", () => {
      if (!restored.isRunning) restored.launch();
      try {
        runTool("pg_isready", ["-q", "-h", restored.socket]);
        return restored.sql("SELECT pg_is_in_recovery()") === "f" ? true : null;
      } catch {
        return null; // It does not answer yet, or has stopped: its log could not be had.
      }
    });
    expect(restored.sql("SELECT count(*) FROM steps")).toBe(rows);
    expect(new Set(restored.benchSums()).size).toBe(1);
    runTool("pg_amcheck", ["--install-missing", "-h", restored.socket, "-a"]);
    restored.stop("immediate");
    rmSync(target, { recursive: true });
  }

  for (let round = 1; round <= ROUNDS; round += 1) {
    test(`round ${round} of seed ${SEED}`, async () => {
      const act = random.pick(ACT_NAMES);
      const victim = random.pick(VICTIMS);
      const momentMs = random.below(ACTS[act]);
      expect(hasFailed).toBe(false);
      hasFailed = true;
      process.stdout.write(`round ${round} of seed ${SEED}: ${act}, ${victim}, ${momentMs} ms\n`);
      if (act === "push") await killInPush(victim, momentMs);
      if (act === "backup") await killInBackup(victim, momentMs);
      if (act === "restore") await killInRestore(victim, momentMs);
      if (act === "recover") await killInRecovery(victim, momentMs);
      await place.switchLog();
      expectAcknowledged();
      if (act === "backup") {
        await backUp();
        await place.bed.job("server", "expire");
        await expectPublishedWhole();
      }
      hasFailed = false;
    }, TIMEOUT_MS);
  }

  test("the log is whole in the end", async () => {
    const verified = await place.bed.json("server", "wal", "verify", "--data");
    expectGood(verified);
    runTool("pg_amcheck", ["--install-missing", "-h", place.cluster.socket, "-a"]);
  }, TIMEOUT_MS);
});
