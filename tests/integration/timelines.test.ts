// A cluster that was recovered to a moment goes on in a timeline of its own and archives it where
// the old one is: a later recovery follows the newest timeline, or the one that it is told.

import { afterEach, expect, test } from "bun:test";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { ArchivingBed } from "./archiving_bed.ts";
import { until } from "./deadline.ts";
import { giveToServer, type PostgresServer } from "./postgres_server.ts";

const TIMEOUT_MS = 240_000;
/** It starts the program a dozen times for what it fetches, and for what is not there. */
const WAIT_MS = 120_000;

let place: ArchivingBed | null = null;

afterEach(async () => {
  await place?.[Symbol.asyncDispose]();
  place = null;
});

function note(server: PostgresServer, text: string): void {
  server.sql(`INSERT INTO notes VALUES ('${text}')`);
}

/** Starts a restored server and waits for the end of its recovery. @returns its timeline */
async function recover(server: PostgresServer): Promise<string> {
  server.launch();
  await until(WAIT_MS, "the end of the recovery", () => {
    try {
      return server.sql("SELECT pg_is_in_recovery()") === "f" ? true : null;
    } catch {
      return null; // It does not answer yet.
    }
  });
  server.sql("CHECKPOINT");
  return server.sql("SELECT timeline_id FROM pg_control_checkpoint()");
}

/** A cluster with an empty table, and its base backup. */
async function backedUp(): Promise<{ of: ArchivingBed; backup: string }> {
  const of = place = await ArchivingBed.started();
  of.cluster.start();
  of.cluster.sql("CREATE TABLE notes (text text)");
  const { status, backup } = await of.bed.job("client", "backup", "database", "pg");
  expect(status).toBe("ok");
  return { of, backup: backup ?? "" };
}

/** Restores the backup to a directory of that name. */
async function restore(
  { of: { bed }, backup }: Awaited<ReturnType<typeof backedUp>>,
  { name, options }: { readonly name: string; readonly options: readonly string[] },
): Promise<string> {
  const target = bed.path(name);
  const how = ["--database", "pg", "--target", target, ...options];
  await bed.job("client", "restore", backup, ...how);
  return target;
}

async function expectVerified({ bed }: ArchivingBed): Promise<void> {
  const verified = await bed.json("server", "wal", "verify", "--data");
  expect([verified.code, verified.stderr]).toEqual([0, ""]);
}

test("a recovery follows the newest timeline, or the one that it is told", async () => {
  const made = await backedUp();
  const { cluster } = made.of;
  note(cluster, "before");
  cluster.sql("SELECT pg_create_restore_point('fork')");
  note(cluster, "old way");
  await made.of.switchLog();
  cluster.stop();

  const to = await restore(made, { name: "forked", options: ["--to-name", "fork"] });
  const forked = made.of.restored(to, { archives: true });
  expect(await recover(forked)).toBe("2");
  expect(forked.sql("SELECT text FROM notes")).toBe("before");
  note(forked, "new way");
  await made.of.switchLog(forked);
  forked.stop();
  expect(existsSync(made.of.archived("00000002.history"))).toBe(true);
  await expectVerified(made.of);

  const ways = [[[], "new way"], [["--timeline", "1"], "old way"]] as const;
  for (const [index, [options, way]] of ways.entries()) {
    const how = { name: `back${index}`, options: ["--to-latest", ...options] };
    const server = made.of.restored(await restore(made, how));
    const timeline = await recover(server);
    expect([options, timeline, server.sql("SELECT text FROM notes")])
      .toEqual([options, "3", `before\n${way}`]);
    server.stop();
  }
}, TIMEOUT_MS);

test("a recovery follows a timeline that began within a segment never archived whole", async () => {
  const made = await backedUp();
  const { cluster } = made.of;
  note(cluster, "archived");
  await made.of.switchLog();
  note(cluster, "left behind");
  const last = cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())");
  await cluster.kill();

  // What a dead server did not archive is at hand, as its disk often is.
  const to = await restore(made, { name: "forked", options: ["--to-latest"] });
  const forked = made.of.restored(to, { archives: true });
  copyFileSync(join(cluster.data, "pg_wal", last), join(to, "pg_wal", last));
  giveToServer(join(to, "pg_wal", last));
  expect(await recover(forked)).toBe("2");
  note(forked, "new way");
  await made.of.switchLog(forked);
  forked.stop();
  const kept = [`${last}.partial`, last].map((name) => existsSync(made.of.archived(name)));
  expect(kept).toEqual([true, false]);
  await expectVerified(made.of);

  const server = made.of.restored(await restore(made, { name: "back", options: ["--to-latest"] }));
  expect(await recover(server)).toBe("3");
  expect(server.sql("SELECT text FROM notes")).toBe("archived\nleft behind\nnew way");
}, TIMEOUT_MS);
