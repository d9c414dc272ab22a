// Real jobs of real daemons on an array that loses, tears, ages and flips what it is given, is slow,
// or breaks in mid-job: what is restored is identical, whatever the array did.

import { afterEach, describe, expect, test } from "bun:test";
import type { StgView } from "../../agent/control/stg_view.ts";
import { addFault } from "../../emulator/mod.ts";
import { FALLBACK_CODES } from "../../transport/flow/mod.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { differences, makeOddTree, makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;
/** Long enough that a test can act in the middle, which is where, in bytes of progress. */
const LONG = { count: 20, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;

/** Milliseconds until a group that was down is tried again: the longest pause, and some. */
const UP_MS = 60_000;
const SEED = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;

let bed: Bed | null = null;

afterEach(async () => {
  await bed?.[Symbol.asyncDispose]();
  bed = null;
});

async function start(): Promise<Bed> {
  return bed = await Bed.started();
}

function fault(on: Bed, ...args: readonly string[]) {
  return on.expectOk("array", "fault", on.path("array"), ...args);
}

/** How often each kind fired, over all processes. */
async function firedKinds(on: Bed): Promise<Record<string, number>> {
  const { lines } = await fault(on, "list", "--json");
  return Object.fromEntries(lines.map(({ kind, fired }) => [String(kind), Number(fired)]));
}

function backup(on: Bed, tree: string) {
  return on.job("server", "backup", "filesystem", "--client", "web01", tree);
}

describe("file jobs on an array with faults", () => {
  test(
    `lossy and slow: backup and restore use the storage and are identical, seed ${SEED}`,
    async () => {
      const bed = await start();
      const some = ["--probability", "0.03", "--seed", String(SEED)];
      for (const kind of ["lost", "torn", "stale", "flip"]) await fault(bed, "add", kind, ...some);
      const slow = ["--latency", "exp:1ms", "--device", "v1"];
      await fault(bed, "add", "latency", ...slow, ...some);
      const tree = bed.path("tree");
      await makeOddTree(tree);
      await makeRandomFiles(bed.path("tree", "more"), { count: 12, bytes: 2 * MIB });
      const made = await backup(bed, tree);
      expect(made).toMatchObject({ status: "ok", fallback: null });
      expect(made.channels.storage.bytes).toBeGreaterThan(24 * MIB);
      await bed.job("server", "verify", "--data");
      const target = bed.path("restored");
      const back = await bed.job("server", "restore", "latest", "--target", target);
      expect(back).toMatchObject({ status: "ok", fallback: null });
      expect(back.channels.storage.bytes).toBeGreaterThan(24 * MIB);
      expect(await differences(tree, target + tree)).toEqual([]);
      const fired = await firedKinds(bed);
      for (const kind of ["lost", "torn", "stale", "flip", "latency"]) {
        expect([kind, (fired[kind] ?? 0) > 0]).toEqual([kind, true]);
      }
      const stgs = await bed.get<StgView[]>("server", "/v1/stgs");
      const sentAgain = stgs.flatMap(({ hosts }) => hosts).map(({ errors }) =>
        errors.framesSentAgain
      );
      expect(sentAgain.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  test("a device that is gone in mid-job: the job goes on over the network", async () => {
    const bed = await start();
    const tree = bed.path("tree");
    await makeRandomFiles(tree, LONG);
    const running = backup(bed, tree);
    running.catch(() => {}); // Taken below.
    await bed.moving("server", MIDDLE_BYTES);
    // In this process: a command takes longer to start than the job may last.
    addFault(bed.path("array"), { kind: "device-gone", device: "v1" }, await currentRuntime());
    const summary = await running;
    expect(summary).toMatchObject({ status: "ok", bytes: LONG.count * LONG.bytes });
    expect(FALLBACK_CODES.includes(summary.fallback ?? "stg_mismatch")).toBe(true);
    expect(summary.channels.storage.bytes).toBeGreaterThan(MIDDLE_BYTES / 2);
    expect(summary.channels.network.bytes).toBeGreaterThan(MIDDLE_BYTES);
    expect((await firedKinds(bed))["device-gone"]).toBeGreaterThan(0);
    await fault(bed, "clear");
    const target = bed.path("restored");
    await bed.job("server", "restore", "latest", "--target", target);
    expect(await differences(tree, target + tree)).toEqual([]);
  }, TIMEOUT_MS);

  test("a daemon that starts while a device is gone stays up, and its group comes up", async () => {
    const bed = await start();
    await fault(bed, "add", "device-gone", "--device", "v0");
    // The last one out cannot destage, which neither stops it nor loses anything.
    for (const side of ["client", "server"]) expect((await bed.stop(side)).code).toBe(0);
    await bed.start("server");
    const [down] = await bed.get<StgView[]>("server", "/v1/stgs");
    expect([down?.state, down?.reason?.includes("the device is gone")]).toEqual(["down", true]);
    await fault(bed, "clear");
    await until(UP_MS, "the group of the server", async () => {
      const [stg] = await bed.get<StgView[]>("server", "/v1/stgs");
      return stg?.state === "up" ? stg : null;
    });
    await bed.expectOk("array", "check", bed.path("array"));
  }, TIMEOUT_MS);

  test("devices that cannot be written: jobs go on, and all is destaged afterwards", async () => {
    const bed = await start();
    await fault(bed, "add", "io-error", "--on", "destage");
    const array = bed.path("array");
    const tree = bed.path("tree");
    await makeRandomFiles(tree, { count: 8, bytes: MIB });
    const made = await backup(bed, tree);
    expect(made).toMatchObject({ status: "ok", fallback: null });
    const refused = await bed.run(["array", "destage", array]);
    expect([refused.code, refused.stderr.includes("I/O error")]).toEqual([1, true]);
    await fault(bed, "clear");
    const { lines } = await bed.expectOk("array", "destage", array, "--json");
    expect(Number(lines[0]?.["tracks"])).toBeGreaterThan(0);
    await bed.expectOk("array", "check", array);
    const target = bed.path("restored");
    const back = await bed.job("server", "restore", "latest", "--target", target);
    expect(back.fallback).toBe(null);
    expect(await differences(tree, target + tree)).toEqual([]);
  }, TIMEOUT_MS);
});
