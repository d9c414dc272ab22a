// Two hosts that share a LUN and a LAN of 1 Gbit/s: what crosses which, and a LAN that is cut in the
// middle of a database backup.

import { afterEach, describe, expect, test } from "bun:test";
import { checkLedger, Ledger } from "../../scripts/demonstration/ledger.ts";
import { pause } from "./deadline.ts";
import { makeOddTree, makeRandomFiles } from "./odd_tree.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

/** Part of a backup's bytes that may cross the LAN when it goes through the LUN. */
const LAN_SHARE_MAX = 0.01;

const FILES = { count: 16, bytes: 16 * MIB };

/** Large enough that a test can act in the middle, which is where, in bytes of progress. */
const DATABASE_BYTES = 400 * MIB;
const MIDDLE_BYTES = 16 * MIB;

/** Milliseconds of a cut that nobody must notice: less than half of the dead time. */
const CUT_MS = 500;

(canHaveTwoHosts ? describe : describe.skip)(titleOf("two hosts"), () => {
  let hosts: TwoHosts;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
  });

  test("a file backup goes through the LUN, and the counters of the LAN stay flat", async () => {
    hosts = await TwoHosts.started();
    const { bed, pair } = hosts;
    const tree = bed.path("tree");
    await makeOddTree(tree);
    await makeRandomFiles(`${tree}/random`, FILES);
    const before = await pair.lanBytes();
    const summary = await hosts.backUp(tree);
    const bytes = summary.bytes ?? 0;
    expect(summary).toMatchObject({ status: "ok", fallback: null });
    expect(bytes).toBeGreaterThan(FILES.count * FILES.bytes);
    expect(await pair.lanBytes() - before).toBeLessThan(bytes * LAN_SHARE_MAX);
    expect(await hosts.restoreAndCompare(tree)).toEqual([]);
    expect(await pair.lanBytes() - before).toBeLessThan(2 * bytes * LAN_SHARE_MAX);
  }, TIMEOUT_MS);

  test("a backup over the network crosses the LAN: its counters see it", async () => {
    hosts = await TwoHosts.started();
    const { bed, pair } = hosts;
    await hosts.start("server-lan");
    await makeRandomFiles(bed.path("tree"), { count: 4, bytes: 16 * MIB });
    const before = await pair.lanBytes();
    const { channels } = await hosts.backUp(bed.path("tree"), "server-lan");
    expect(channels.storage.bytes).toBe(0);
    expect(channels.network.bytes).toBeGreaterThan(64 * MIB);
    expect(await pair.lanBytes() - before).toBeGreaterThan(channels.network.bytes);
  }, TIMEOUT_MS);

  test("a database backup finishes although the LAN is cut in its middle", async () => {
    hosts = await TwoHosts.started();
    const { bed, pair } = hosts;
    Ledger.create(bed.path("app.db"), DATABASE_BYTES)[Symbol.dispose]();
    const running = bed.job("client", "backup", "database", "app");
    running.catch(() => {}); // Taken below.
    const { job } = await bed.moving("client", MIDDLE_BYTES);
    await pair.cutLan();
    const cut = await bed.get<{ state: string }>("client", `/v1/jobs/${job}`);
    expect(cut.state).toBe("running");
    expect(await running).toMatchObject({ job, status: "ok", fallback: null });
    await bed.job("server", "verify", "--data");
    await pair.mendLan();
    const target = ["--database", "app", "--target", bed.path("restored")];
    await bed.job("client", "restore", "latest", ...target);
    using ledger = Ledger.open(bed.path("app.db"));
    const whole = { atLeast: ledger.count(), atMost: ledger.count() };
    expect(checkLedger(bed.path("restored", "app.db"), whole)).toEqual([]);
  }, TIMEOUT_MS);
});

(canHaveTwoHosts ? describe : describe.skip)(titleOf("two hosts and a LAN that flickers"), () => {
  let hosts: TwoHosts;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
  });

  test("a file backup outlives a cut that is shorter than the dead time", async () => {
    hosts = await TwoHosts.started();
    const { bed, pair } = hosts;
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const running = hosts.backUp(tree);
    await bed.moving("server");
    await pair.cutLan();
    await pause(CUT_MS);
    await pair.mendLan();
    expect(await running).toMatchObject({ status: "ok", fallback: null });
    await bed.job("server", "verify", "--data");
  }, TIMEOUT_MS);
});
