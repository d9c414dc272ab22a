// Two hosts that share a LUN and a LAN of 1 Gbit/s: what crosses which, and what happens when either
// is taken away in the middle of a job.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import type { FallbackReason } from "../../transport/flow/fallback_reason.ts";
import { checkLedger, Ledger } from "../../scripts/demonstration/ledger.ts";
import { whyNotTwoHosts } from "../../scripts/demonstration/two_hosts/permission.ts";
import { until } from "./deadline.ts";
import { differences, makeOddTree, makeRandomFiles } from "./odd_tree.ts";
import { TwoHosts, type TwoHostsOptions } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

/** Part of a file backup's bytes that may cross the LAN: control and errors. */
const LAN_SHARE_MAX = 0.01;

/** Long enough on any channel that a test can act in the middle. */
const FILES = { count: 24, bytes: 16 * MIB };
const DATABASE_BYTES = 300 * MIB;

/** Where in the middle, bytes of progress. */
const MIDDLE_BYTES = 32 * MIB;

/** Both hosts lose the same LUN: either may be the first to notice, in a job or by its heartbeat. */
const MID_JOB_REASONS: readonly (FallbackReason | null)[] = [
  "server_volume_failed",
  "client_volume_failed",
  "server_stg_lost",
  "client_stg_lost",
  "connection_lost",
];

const whyNot = await whyNotTwoHosts();
const title = whyNot === null ? "two hosts" : `two hosts (not on this machine: ${whyNot})`;

(whyNot === null ? describe : describe.skip)(title, () => {
  let hosts: TwoHosts | null = null;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
    hosts = null;
  });

  async function start(options: TwoHostsOptions = {}): Promise<TwoHosts> {
    hosts = await TwoHosts.started(options);
    return hosts;
  }

  /** Restores a file backup by the server and compares it with where it came from. */
  async function expectRestored({ bed }: TwoHosts, tree: string): Promise<void> {
    mkdirSync(bed.path("restored"));
    await bed.job("server", "restore", "latest", "--target", bed.path("restored"));
    expect(await differences(tree, bed.path("restored") + tree)).toEqual([]);
  }

  test("a file backup goes through the LUN, and the counters of the LAN stay flat", async () => {
    const { bed, pair } = await start();
    const tree = bed.path("tree");
    await makeOddTree(tree);
    await makeRandomFiles(`${tree}/random`, FILES);
    const before = await pair.lanBytes();
    const summary = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    const crossed = await pair.lanBytes() - before;
    expect(summary).toMatchObject({ status: "ok", fallback: null });
    expect(summary.bytes).toBeGreaterThan(FILES.count * FILES.bytes);
    expect(crossed).toBeLessThan((summary.bytes ?? 0) * LAN_SHARE_MAX);
    await expectRestored(hosts!, tree);
    expect(await pair.lanBytes() - before).toBeLessThan(2 * (summary.bytes ?? 0) * LAN_SHARE_MAX);
  }, TIMEOUT_MS);

  test("a backup over the network crosses the LAN: the counters see it", async () => {
    const { bed, pair } = await start();
    await hosts!.start("server-lan");
    await makeRandomFiles(bed.path("tree"), { count: 4, bytes: 16 * MIB });
    const before = await pair.lanBytes();
    const args = ["backup", "filesystem", "--client", "web01", bed.path("tree")];
    const summary = await bed.job("server-lan", ...args);
    const { network, storage } = summary.channels;
    expect(storage.bytes).toBe(0);
    expect(network.bytes).toBeGreaterThan(64 * MIB);
    expect(await pair.lanBytes() - before).toBeGreaterThan(network.bytes);
  }, TIMEOUT_MS);

  test("a database backup finishes although the LAN is cut in its middle", async () => {
    const { bed, pair } = await start();
    Ledger.create(bed.path("app.db"), DATABASE_BYTES)[Symbol.dispose]();
    const running = bed.job("client", "backup", "database", "app");
    running.catch(() => {}); // Taken below.
    const { job } = await bed.moving("client", MIDDLE_BYTES);
    await pair.cutLan();
    const cut = await bed.get<{ state: string }>("client", `/v1/jobs/${job}`);
    expect(cut.state).toBe("running");
    const summary = await running;
    expect(summary).toMatchObject({ job, status: "ok", fallback: null });
    await bed.job("server", "verify", "--data");
    await pair.mendLan();
    const target = ["--database", "app", "--target", bed.path("restored")];
    await bed.job("client", "restore", "latest", ...target);
    const rows = Math.ceil(DATABASE_BYTES / 1000);
    const whole = { atLeast: rows, atMost: rows + 1000 };
    expect(checkLedger(bed.path("restored", "app.db"), whole)).toEqual([]);
  }, TIMEOUT_MS);

  test("a file backup finishes over the LAN when the LUN is taken away", async () => {
    const { bed, pair, lun } = await start();
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const before = await pair.lanBytes();
    const running = bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    running.catch(() => {}); // Taken below.
    const { job } = await bed.moving("server", MIDDLE_BYTES);
    lun.takeAway();
    const summary = await running;
    expect(summary).toMatchObject({ job, status: "ok" });
    expect(MID_JOB_REASONS).toContain(summary.fallback);
    expect(summary.channels.storage.bytes).toBeGreaterThan(MIDDLE_BYTES / 2);
    expect(summary.channels.network.bytes).toBeGreaterThan(MIDDLE_BYTES);
    expect(await pair.lanBytes() - before).toBeGreaterThan(summary.channels.network.bytes);
    await bed.job("server", "verify", "--data");
    await expectRestored(hosts!, tree);
    const down = await until(20_000, "the group to be down", async () => {
      const { stgs } = await bed.status("client");
      return stgs[0]?.state === "down" ? stgs[0] : null;
    });
    expect(down.reason).toContain(lun.path);
  }, TIMEOUT_MS);

  test("storage-only fails with the reason when the LUN is taken away", async () => {
    const { bed, lun } = await start({ channel: "storage-only" });
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
