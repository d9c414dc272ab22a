// Two hosts whose LUN is taken away in the middle of a job: every read and write on it fails from
// then on, on both hosts.

import { afterEach, describe, expect, test } from "bun:test";
import type { FallbackReason } from "../../transport/flow/fallback_reason.ts";
import { until } from "./deadline.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

/** Long enough that a test can act in the middle, which is where, in bytes of progress. */
const FILES = { count: 40, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;

/** Milliseconds until both hosts must show that the group is down: more than the dead time. */
const DOWN_MS = 20_000;

/** Both hosts lose the same LUN: either may be the first to notice, in a job or by its heartbeat. */
const MID_JOB_REASONS: readonly (FallbackReason | null)[] = [
  "server_volume_failed",
  "client_volume_failed",
  "server_stg_lost",
  "client_stg_lost",
  "connection_lost",
];

(canHaveTwoHosts ? describe : describe.skip)(titleOf("two hosts that lose their LUN"), () => {
  let hosts: TwoHosts;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
  });

  test("a file backup finishes over the LAN", async () => {
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
      const down = await until(DOWN_MS, `the group of ${side} to be down`, async () => {
        const { stgs } = await bed.status(side);
        return stgs[0]?.state === "down" ? stgs[0] : null;
      });
      expect(down.reason).toContain("stg0");
    }
  }, TIMEOUT_MS);

  test("with storage-only the backup fails with the reason and publishes nothing", async () => {
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
