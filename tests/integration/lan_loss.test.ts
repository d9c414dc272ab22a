// Two hosts whose LAN is cut while a file backup moves its data through the LUN: the job cannot go
// on without its control connection, and ends in bounded time instead of waiting for TCP.

import { afterEach, describe, expect, test } from "bun:test";
import { CLIENT } from "../../scripts/demonstration/configurations.ts";
import { within } from "./deadline.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 180_000;
const MIB = 1024 * 1024;
/** So much that the cut comes in the middle. */
const FILES = { count: 60, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;
/** Milliseconds: the silence that a job bears, and what ending takes on a busy machine. */
const END_MS = 60_000;

(canHaveTwoHosts ? describe : describe.skip)(titleOf("a file backup that loses the LAN"), () => {
  let hosts: TwoHosts | null = null;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
    hosts = null;
  });

  test("fails on both hosts and publishes nothing; the next one works", async () => {
    const { bed, pair } = hosts = await TwoHosts.started();
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const running = bed.json("server", "backup", "filesystem", "--client", CLIENT, tree);
    await bed.moving("server", MIDDLE_BYTES);
    await pair.cutLan();
    const { code, error, summary } = await within(END_MS, "the end of the job", running);
    expect([code, error?.code]).toEqual([15, "unreachable"]);
    expect(error?.message).toContain("over the network");
    expect(summary).toMatchObject({ status: "failed", backup: null, fallback: null });
    expect((await bed.json("server", "backups")).lines).toEqual([]);
    await pair.mendLan();
    await makeRandomFiles(bed.path("small"), { count: 1, bytes: MIB });
    expect(await hosts.backUp(bed.path("small"))).toMatchObject({ status: "ok", fallback: null });
    const ended = (await bed.endedJobs("client")).map(({ state }) => state);
    expect(ended).toEqual(["failed", "ok"]);
  }, TIMEOUT_MS);
});
