// A real PostgreSQL server archives its write-ahead log by our own command, as its own user, and is
// recovered from there to moments that a table tells apart, while pgbench writes to others. The
// seed is printed: WAL_SEED repeats it, WAL_STEPS makes more moments, WAL_TARGETS recovers to more
// of each kind, WAL_ROUNDS kills more often.

import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";
import { ArchivingBed } from "./archiving_bed.ts";
import { until } from "./deadline.ts";
import { makeServerDirectory, type PostgresServer, runTool } from "./postgres_server.ts";

const TIMEOUT_MS = Number(process.env["WAL_TIMEOUT_MS"] ?? 240_000);
const SEED = Number(process.env["WAL_SEED"] ?? Date.now() % 2 ** 31);
/** Moments of each kind that a cluster is recovered to, and rows that it gets for them. */
const TARGETS = Number(process.env["WAL_TARGETS"] ?? 1);
const STEPS = Number(process.env["WAL_STEPS"] ?? 5);
/** Transactions per second that go on beside. */
const BENCH_RATE = 40;
/** Processes that are killed one after the other, and within which time of the last segment. */
const ROUNDS = Number(process.env["WAL_ROUNDS"] ?? 2);
const KILL_MS = 1500;
const WAIT_MS = 60_000;

const { clock } = await currentRuntime();

let current: ArchivingBed | null = null;

afterEach(async () => {
  await current?.[Symbol.asyncDispose]();
  current = null;
});

async function start(clientKeys = ""): Promise<ArchivingBed> {
  return current = await ArchivingBed.started({ clientKeys });
}

/** What names a moment of the cluster, and how many rows the table had then. */
interface Moment {
  readonly rows: number;
  readonly option: readonly string[];
}

/** Inserts row after row. @returns the moments after each, by the option that names them */
function insertRows(cluster: PostgresServer, count: number): Map<string, Moment[]> {
  const moments = new Map<string, Moment[]>();
  for (let rows = 1; rows <= count; rows += 1) {
    const xid = cluster.sql("INSERT INTO steps DEFAULT VALUES RETURNING pg_current_xact_id()");
    const name = `after ${rows}`;
    cluster.sql(`SELECT pg_create_restore_point('${name}')`);
    const [time = "", lsn = ""] = cluster.sql(
      'SELECT to_char(clock_timestamp(), \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'), ' +
        "pg_current_wal_lsn()",
    ).split("|");
    const named = { "--to-time": time, "--to-lsn": lsn, "--to-name": name, "--to-xid": xid };
    for (const option of Object.entries(named)) {
      moments.set(option[0], [...moments.get(option[0]) ?? [], { rows, option }]);
    }
  }
  // A row that no target means: PostgreSQL goes on to a time only when it sees a later commit.
  cluster.sql("INSERT INTO steps DEFAULT VALUES");
  return moments;
}

describe("the write-ahead log", () => {
  test(`recovers a cluster to moments of its past, encrypted, seed ${SEED}`, async () => {
    const random = new SeededRandom(SEED);
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const keys = `recipients: [${recipient}], identity_file: identity.txt`;
    const place = await start(`encryption: { ${keys} }`);
    const { bed, cluster } = place;
    writeFileSync(bed.path("identity.txt"), identity, { mode: 0o600 });
    cluster.start();
    cluster.sql("CREATE TABLE steps (n int GENERATED ALWAYS AS IDENTITY)");
    cluster.benchFill(1);
    await using clients = cluster.benchLoad(BENCH_RATE);
    const made = await bed.job("client", "backup", "database", "pg");
    expect([made.status, made.fallback]).toEqual(["ok", null]);
    const moments = insertRows(cluster, STEPS);
    clients.kill("SIGINT");
    await clients.ended;
    await place.switchLog();
    cluster.stop();
    const verified = await bed.json("server", "wal", "verify", "--data");
    const said = `${verified.stdout}${verified.stderr}`;
    expect([verified.code, said.includes("are encrypted")]).toEqual([0, true]);

    const restore = ["restore", "latest:pg", "--database", "pg"];
    const ends = [{ rows: 0, option: ["--to-immediate"] }, {
      rows: STEPS + 1,
      option: ["--to-latest"],
    }];
    const picked = Array.from({ length: TARGETS }, () => [...moments.values()]).flat().map((of) =>
      of[random.below(of.length)] ?? { rows: 0, option: [] }
    );
    for (const [index, { rows, option }] of [...picked, ...ends].entries()) {
      // Each of them goes on in a timeline of its own, which the next one must not follow.
      const where = ["--target", bed.path(`back${index}`), "--timeline", "current"];
      await bed.job("client", ...restore, ...where, ...option);
      const restored = place.restored(bed.path(`back${index}`));
      restored.start();
      await until(
        WAIT_MS,
        "the end of the recovery",
        () => Promise.resolve(restored.sql("SELECT pg_is_in_recovery()") === "f" ? true : null),
      );
      const found = Number(restored.sql("SELECT count(*) FROM steps"));
      expect({ option, rows: found }).toEqual({ option, rows });
      expect(new Set(restored.benchSums()).size).toBe(1);
      runTool("pg_amcheck", ["--install-missing", "-h", restored.socket, "-a"]);
      restored.stop();
    }
    const early = ["--target", bed.path("early"), "--to-lsn", "0/1"];
    const tooEarly = await bed.json("client", ...restore, ...early);
    expect([tooEarly.code, tooEarly.error?.message.includes("the backup ended at")])
      .toEqual([2, true]);
    expect(existsSync(bed.path("early"))).toBe(false);
  }, TIMEOUT_MS);

  test("is fetched whole or not at all, and refused when it is not what it says", async () => {
    const place = await start();
    const { bed, cluster } = place;
    const asServer = (...args: readonly string[]) => place.asServer(...args);
    cluster.configure("wal_keep_size = 64MB\n");
    cluster.start();
    await place.switchLog();
    const [first = ""] = readdirSync(join(cluster.data, "pg_wal", "archive_status"))
      .filter((name) => name.endsWith(".done")).map((name) => name.replace(".done", ""));
    cluster.stop();
    const [log, got] = [join("pg_wal", first), join("pg_wal", "RECOVERYXLOG")];
    const whole = readFileSync(join(cluster.data, log));
    expect(asServer("wal", "get", first, got, "--database", "pg")).toBe(0);
    expect(readFileSync(join(cluster.data, got)).equals(whole)).toBe(true);
    rmSync(join(cluster.data, got));
    // Not there, and proved so: 1. Anything else: 126.
    const missing = "0000000100000000000000FF";
    expect(asServer("wal", "get", missing, got, "--database", "pg")).toBe(1);
    expect(asServer("wal", "get", missing, got, "--database", "none")).toBe(126);
    expect(asServer("wal", "get", missing, got)).toBe(126);
    expect(asServer("wal", "get", missing, got, "--database", "pg", "--system", "7")).toBe(126);
    expect(asServer("wal", "get", first, "no/such/place", "--database", "pg")).toBe(126);
    expect(existsSync(join(cluster.data, got))).toBe(false);

    // The same again is good; other bytes, another place, another cluster are not.
    expect(asServer("wal", "push", log, "--database", "pg")).toBe(0);
    const folder = join(cluster.data, "pg_wal", "elsewhere");
    mkdirSync(folder);
    const other = join(folder, first);
    whole[whole.length - 1] = 1 ^ (whole.at(-1) ?? 0);
    writeFileSync(other, whole);
    expect(asServer("wal", "push", other, "--database", "pg")).toBe(1);
    writeFileSync(join(folder, missing), whole);
    expect(asServer("wal", "push", join(folder, missing), "--database", "pg")).toBe(1);
    whole[24] = 1 ^ (whole[24] ?? 0);
    writeFileSync(other, whole);
    expect(asServer("wal", "push", other, "--database", "pg")).toBe(1);
    expect(asServer("wal", "push", join(folder, "nothing"), "--database", "pg")).toBe(1);
    expect(asServer("wal", "push")).toBe(2);

    // A server that comes back is found again, and one that is away is no "not there".
    await bed.stop("server", "SIGKILL");
    expect(asServer("wal", "get", missing, got, "--database", "pg")).toBe(126);
    expect(asServer("wal", "push", log, "--database", "pg")).toBe(15);
    await bed.start("server");
    expect(asServer("wal", "push", log, "--database", "pg")).toBe(0);
    await bed.stop("client");
    expect(asServer("wal", "push", log, "--database", "pg")).toBe(15);
    expect(asServer("wal", "get", first, got, "--database", "pg")).toBe(126);
  }, TIMEOUT_MS);

  test(`loses nothing that was acknowledged when processes are killed, seed ${SEED}`, async () => {
    const random = new SeededRandom(SEED);
    const place = await start();
    const { bed, cluster, push } = place;
    const acknowledged = bed.path("acknowledged");
    makeServerDirectory(acknowledged);
    cluster.configure(`archive_command = '${push} && cp %p ${acknowledged}/%f'\n`);
    cluster.start();
    cluster.sql("CREATE TABLE steps (n int GENERATED ALWAYS AS IDENTITY)");
    let made = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const segments = 1 + random.below(3);
      made += segments;
      for (let count = 0; count < segments; count += 1) {
        cluster.sql("INSERT INTO steps DEFAULT VALUES; SELECT pg_switch_wal()");
      }
      await clock.sleep(random.below(KILL_MS));
      const victim = random.below(3);
      if (victim === 0) await bed.stop("server", "SIGKILL");
      if (victim === 1) await bed.stop("client", "SIGKILL");
      if (victim === 2) await cluster.kill();
      if (victim === 0) await bed.start("server");
      if (victim === 1) await place.start("client");
      if (victim === 2) cluster.start();
    }
    await place.switchLog();
    cluster.stop();
    const names = readdirSync(acknowledged);
    // The last switch makes no further one when nothing was written since.
    expect(names.length).toBeGreaterThanOrEqual(made);
    for (const name of names) {
      const kept = execFileSync("zstd", ["-dc", place.archived(name)], { maxBuffer: 2 ** 30 });
      expect([name, kept.equals(readFileSync(join(acknowledged, name)))]).toEqual([name, true]);
    }
    const verified = await bed.json("server", "wal", "verify", "--data");
    expect([verified.code, verified.stderr]).toEqual([0, ""]);
  }, TIMEOUT_MS);
});
