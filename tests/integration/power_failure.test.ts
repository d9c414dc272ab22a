// The cache of the array loses its power under real daemons: the storage group comes up again
// without a manual step, and the next backup goes through storage.

import { afterEach, describe, expect, test } from "bun:test";
import { failPower } from "../../emulator/mod.ts";
import { currentRuntime } from "../../transport/runtime/current_runtime.ts";
import type { StgView } from "../../agent/control/stg_view.ts";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
/** Milliseconds until a group is up again: loss of the id, pauses between tries, a dead time. */
const REJOIN_MS = 30_000;
const MIB = 1024 * 1024;
/** Long enough that the power can fail in the middle of a backup. */
const LARGE = { count: 12, bytes: 16 * MIB };
const SMALL = { count: 8, bytes: 4 * MIB };
type Tree = typeof LARGE;

describe("the cache of the array loses its power", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  async function start(tree: Tree): Promise<Bed> {
    bed = await Bed.started();
    await makeRandomFiles(bed.path("data"), tree);
    return bed;
  }

  function backup(bed: Bed) {
    const args = ["backup", "filesystem", "--full", "--client", "web01", bed.path("data")];
    return bed.job("server", ...args);
  }

  async function expectThroughStorage(bed: Bed, { count, bytes }: Tree): Promise<void> {
    for (const side of ["server", "client"]) {
      await until(REJOIN_MS, `the group of ${side} to be up and to see both hosts`, async () => {
        const [view] = await bed.get<StgView[]>(side, "/v1/stgs");
        const live = view?.hosts.filter((host) => host.live === true) ?? [];
        return view?.state === "up" && live.length === 2 ? true : null;
      });
    }
    // A daemon may not have noticed yet that its group was lost when it is asked for the first one.
    const summary = await until(REJOIN_MS, "a backup through the storage", async () => {
      const found = await backup(bed);
      expect(found.status).toBe("ok");
      return found.fallback === null ? found : null;
    });
    expect(summary.channels.storage.bytes).toBeGreaterThan(count * bytes / 2);
    await bed.job("server", "restore", "latest", "--target", bed.path("restored"));
    expect(await differences(bed.path("data"), bed.path("restored") + bed.path("data"))).toEqual(
      [],
    );
  }

  test("while daemons run a backup: it falls back, and the group recovers by itself", async () => {
    const bed = await start(LARGE);
    const running = backup(bed);
    running.catch(() => {}); // Taken below.
    await bed.moving("server", MIB);
    failPower(bed.path("array"), await currentRuntime()); // The command takes longer to start.
    const summary = await running;
    expect(summary).toMatchObject({ status: "ok", bytes: LARGE.count * LARGE.bytes });
    expect(summary.fallback).not.toBe(null);
    await expectThroughStorage(bed, LARGE);
  }, TIMEOUT_MS);

  test("while daemons are down: check names the losses, and they start as always", async () => {
    const bed = await start(SMALL);
    expect((await backup(bed)).fallback).toBe(null);
    await Promise.all([bed.stop("server", "SIGKILL"), bed.stop("client", "SIGKILL")]);
    await bed.expectOk("array", "power-fail", bed.path("array"));
    const checked = await bed.run(["array", "check", bed.path("array")]);
    expect(checked.code).toBe(13);
    expect(checked.stdout).toMatch(/v0\.dev: \d+ bytes at \d+ were lost with the power/);
    await Promise.all([bed.start("server"), bed.start("client")]);
    await expectThroughStorage(bed, SMALL);
    await Promise.all([bed.stop("server"), bed.stop("client")]);
    await bed.expectOk("array", "repair", bed.path("array"), "--accept-loss");
    expect((await bed.expectOk("array", "check", bed.path("array"))).stdout).toBe("sound\n");
  }, TIMEOUT_MS);
});
