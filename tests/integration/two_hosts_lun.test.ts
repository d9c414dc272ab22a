// Two hosts whose LUN is taken away in the middle of a job: every read and write on it fails from
// then on, on both hosts.

import { afterEach, describe, expect, test } from "bun:test";
import type { FallbackReason } from "../../transport/flow/fallback_reason.ts";
import { Ledger } from "../../scripts/demonstration/ledger.ts";
import { until, within } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

/** Long enough that a test can act in the middle, which is where, in bytes of progress. */
const FILES = { count: 12, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;

/** Milliseconds until both hosts must show that the group is down: more than the dead time. */
const DOWN_MS = 20_000;

/** Milliseconds in which a job must end that cannot go on: the dead time and a little work. */
const END_MS = 2500 + 5000;

/** Bytes of a database whose backup takes a while. */
const DATABASE_BYTES = 200 * MIB;

/** Both hosts lose the same LUN: either may be the first to notice, in a job or by its heartbeat. */
const MID_JOB_REASONS: readonly (FallbackReason | null)[] = [
  "server_volume_failed",
  "client_volume_failed",
  "server_stg_lost",
  "client_stg_lost",
  "connection_lost",
];

(canHaveTwoHosts ? describe : describe.skip)(titleOf("file backups that lose the LUN"), () => {
  let hosts: TwoHosts;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
  });

  test("finish over the LAN", async () => {
    hosts = await TwoHosts.started();
    const { bed, pair, lun } = hosts;
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const before = await pair.lanBytes();
    const running = hosts.backUp(tree);
    const { job } = await bed.moving("server", MIDDLE_BYTES);
    lun.takeAway();
    const summary = await running;
    const { network, storage } = summary.channels;
    expect(summary).toMatchObject({ job, status: "ok", bytes: FILES.count * FILES.bytes });
    expect(MID_JOB_REASONS).toContain(summary.fallback);
    expect(storage.bytes).toBeGreaterThan(MIDDLE_BYTES / 2);
    expect(network.bytes).toBeGreaterThan(MIDDLE_BYTES);
    expect(await pair.lanBytes() - before).toBeGreaterThan(network.bytes);
    await bed.job("server", "verify", "--data");
    expect(await hosts.restoreAndCompare(tree)).toEqual([]);
    for (const side of ["server", "client"]) {
      await until(DOWN_MS, `the group of ${side} to be down, with its volume`, async () => {
        const [stg] = (await bed.status(side)).stgs;
        return stg?.state === "down" && stg.reason?.includes(lun.path) ? stg : null;
      });
    }
  }, TIMEOUT_MS);

  test("fail with the reason and publish nothing when they may use the storage only", async () => {
    hosts = await TwoHosts.started({ channel: "storage-only" });
    const { bed, lun } = hosts;
    await makeRandomFiles(bed.path("tree"), FILES);
    const args = ["backup", "filesystem", "--client", "web01", bed.path("tree")];
    const running = bed.json("server", ...args);
    await bed.moving("server", MIDDLE_BYTES);
    lun.takeAway();
    const { code, error } = await running;
    expect(code).toBe(1);
    expect(error?.message).toContain("storage");
    expect((await bed.json("server", "backups")).lines).toEqual([]);
  }, TIMEOUT_MS);
});

(canHaveTwoHosts ? describe : describe.skip)(titleOf("other jobs that lose the LUN"), () => {
  let hosts: TwoHosts;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
  });

  test("a restore of files finishes over the LAN", async () => {
    hosts = await TwoHosts.started();
    const { bed, lun } = hosts;
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    expect(await hosts.backUp(tree)).toMatchObject({ fallback: null });
    const target = bed.path("restored");
    const running = bed.job("server", "restore", "latest", "--target", target);
    running.catch(() => {}); // Taken below.
    await bed.moving("server", MIDDLE_BYTES);
    lun.takeAway();
    const summary = await running;
    expect(MID_JOB_REASONS).toContain(summary.fallback);
    expect(summary.channels.network.bytes).toBeGreaterThan(MIDDLE_BYTES);
    expect(await differences(tree, target + tree)).toEqual([]);
  }, TIMEOUT_MS);

  test("a database backup, which has no network any more, fails soon and clearly", async () => {
    hosts = await TwoHosts.started();
    const { bed, lun } = hosts;
    Ledger.create(bed.path("app.db"), DATABASE_BYTES)[Symbol.dispose]();
    const running = bed.json("client", "backup", "database", "app");
    await bed.moving("client", MIDDLE_BYTES);
    lun.takeAway();
    const { code, error } = await within(END_MS, "the end of the job", running);
    expect(code).toBe(1);
    expect(error?.message).toContain("stg0");
    expect((await bed.json("server", "backups")).lines).toEqual([]);
    // Both daemons are there, and what needs no LUN works.
    await makeRandomFiles(bed.path("tree"), { count: 1, bytes: MIB });
    expect((await hosts.backUp(bed.path("tree"))).fallback).not.toBe(null);
  }, TIMEOUT_MS);
});
