// Two hosts whose LAN is cut while a file backup moves its data through the LUN, for so long that
// both give their connections up: the job goes on over new ones when the LAN is back.
//
// A LAN that stays cut ends the job; that takes over a minute and is tested on a clock of the tests'
// own (tests/unit/agent/job/network_rejoin.test.ts).

import { afterEach, describe, expect, test } from "bun:test";
import { NETWORK_MOMENT_MS, NETWORK_SILENCE_MOMENTS } from "../../agent/job/limits.ts";
import { CLIENT } from "../../scripts/demonstration/configurations.ts";
import { pause, within } from "./deadline.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "./two_hosts_bed.ts";

const TIMEOUT_MS = 180_000;
const MIB = 1024 * 1024;
/** So much that the cut comes in the middle. */
const FILES = { count: 12, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;
/** Milliseconds: the silence that counts as a cut, and a busy machine. */
const CUT_MS = NETWORK_SILENCE_MOMENTS * NETWORK_MOMENT_MS + 5_000;
/** Milliseconds: the next try after the LAN is back, the rest of the job, and a busy machine. */
const END_MS = 60_000;

(canHaveTwoHosts ? describe : describe.skip)(titleOf("a file backup that loses the LAN"), () => {
  let hosts: TwoHosts | null = null;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
    hosts = null;
  });

  test("goes on over new connections, and is whole", async () => {
    const { bed, pair } = hosts = await TwoHosts.started();
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const running = bed.json("server", "backup", "filesystem", "--client", CLIENT, tree);
    const { job } = await bed.moving("server", MIDDLE_BYTES);
    await pair.cutLan();
    await pause(CUT_MS);
    expect((await bed.get<{ state: string }>("client", `/v1/jobs/${job}`)).state).toBe("running");
    await pair.mendLan();
    const { code, stderr, summary } = await within(END_MS, "the end of the job", running);
    expect(code).toBe(0);
    expect(summary).toMatchObject({ status: "ok", fallback: null });
    expect(stderr).toContain("the network was cut: ");
    expect(stderr).toContain("the network is connected again after");
    expect((await bed.run(["trace", job], "server")).stdout)
      .toContain("again after a cut");
    expect(await hosts.restoreAndCompare(tree)).toEqual([]);
    const ended = (await bed.endedJobs("client")).map(({ state }) => state);
    expect(ended).toEqual(["ok", "ok"]);
  }, TIMEOUT_MS);
});
