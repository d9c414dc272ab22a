// Channel and disk directors: counters, faults, eviction, the background pass, the busy board.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  addFault,
  type ArrayParts,
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  clearFaults,
  createArray,
} from "../../../emulator/mod.ts";
import { isCrowded, isDue } from "../../../emulator/destage_policy.ts";
import { DESTAGE_IDLE_TICKS, DESTAGE_MAX_TICKS } from "../../../emulator/limits.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import type { Clock } from "../../../transport/runtime/runtime.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";
import { watchDevices } from "./watched_devices.ts";

const RECORD = 4096;
const TRACK = 65536;

let place: TemporaryArray;
let hosts: AttachedArray[] = [];

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(async () => {
  for (const host of hosts) host.close();
  hosts = [];
  await place.dispose();
});

function create(slots: number): void {
  const options = { volumes: 2, volumeBytes: 2 ** 20, boards: 1, cacheBytes: slots * TRACK };
  createArray(place.path, { ...options, memory: "memory" }, place.parts);
}

function attach(parts?: ArrayParts): AttachedArray {
  const host = attachArray(place.path, { hostName: "test" }, parts ?? place.parts);
  hosts.push(host);
  return host;
}

function board() {
  const found = arrayStatus(place.path, place.parts).boards[0];
  if (found === undefined) throw new Error("the array has a board");
  return found;
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "done";
}

/** Time that stands still but for `sleep`, which moves it on and lets each tick be watched. */
function steppedClock(onSleep: () => void): Clock {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs += 100,
    wallMs: () => 0,
    sleep: (ms, options) => {
      nowMs += ms;
      onSleep();
      return options?.signal?.aborted
        ? Promise.reject(new AgentError("cancelled", "cancelled"))
        : Promise.resolve();
    },
    doze: (ms) => {
      nowMs += ms;
    },
    yield: () => Promise.resolve(),
  };
}

describe("channel director", () => {
  test("read() of a missing track stages it once, and hits from then on", () => {
    create(8);
    const host = attach();
    const volume = host.volume("v0");
    const bytes = new Uint8Array(RECORD);
    for (let count = 0; count < 5; count++) volume.read(RECORD, bytes);
    volume.read(9 * RECORD, bytes);
    expect(host.counters()).toMatchObject({ reads: 6, hits: 5, misses: 1, readBytes: 6 * RECORD });
    volume.write(0, bytes);
    expect(board()).toMatchObject({ hits: 5, misses: 1, stages: 1, writes: 1, writePending: 1 });
  });

  test("write() of part of a track needs no staging until the rest is read", () => {
    create(8);
    const volume = attach().volume("v0");
    volume.write(2 * RECORD, new Uint8Array(RECORD).fill(4));
    expect(board().stages).toBe(0);
    const track = new Uint8Array(TRACK);
    volume.read(0, track);
    expect(board()).toMatchObject({ stages: 1, misses: 1, writePending: 1 });
    expect([track[0], track[2 * RECORD], track[3 * RECORD]]).toEqual([0, 4, 0]);
  });

  test("write() gives up clean slots first and destages when there are none", () => {
    create(2);
    const volume = attach().volume("v0");
    const bytes = new Uint8Array(RECORD).fill(1);
    volume.write(0, bytes);
    volume.read(TRACK, new Uint8Array(RECORD));
    volume.write(2 * TRACK, bytes);
    expect(board()).toMatchObject({ evictions: 1, destages: 0 });
    volume.write(3 * TRACK, bytes);
    expect(board()).toMatchObject({ evictions: 2, destages: 1 });
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("a fault fails the request that it names and no other", () => {
    create(8);
    addFault(place.path, { kind: "device-gone", device: "v1" }, place.parts);
    addFault(place.path, { kind: "io-error", on: "stage" }, place.parts);
    const host = attach();
    const bytes = new Uint8Array(RECORD);
    const volume = host.volume("v0");
    expect(codeOf(() => volume.write(0, bytes))).toBe("done");
    expect(codeOf(() => volume.read(0, bytes))).toBe("done");
    expect(codeOf(() => volume.read(TRACK, bytes))).toBe("volume");
    expect(codeOf(() => host.volume("v1").read(0, bytes))).toBe("volume");
    // The failed stage left its slot without records: the next hold frees it.
    expect(checkArray(place.path, place.parts)).toEqual([]);
    expect(board().inUse).toBe(1);
  });

  test("a board whose holder stopped makes requests fail as busy, named", () => {
    create(8);
    const host = attach({ ...place.parts, clock: steppedClock(() => undefined) });
    const volume = host.volume("v0");
    const bytes = new Uint8Array(RECORD);
    volume.write(0, bytes);
    const { files } = place.parts;
    const path = `${place.path}/memory/board0`;
    const descriptor = files.open(-100, path, { access: "read-write" });
    try {
      expect(files.lock(descriptor, "exclusive", { wait: false })).toBe(true);
      expect(() => volume.write(0, bytes)).toThrow(/Cannot use memory board .*board0.*process \d+/);
      // What is in cache is still read: hits need no lock.
      expect(codeOf(() => volume.read(0, bytes))).toBe("done");
    } finally {
      files.close(descriptor);
    }
    expect(codeOf(() => volume.write(0, bytes))).toBe("done");
    expect(board().waits).toBe(1);
  });
});

describe("disk director", () => {
  test("isDue() counts from the last write, up to a limit, and not at all when crowded", () => {
    expect(isDue({ idle: DESTAGE_IDLE_TICKS - 1, total: DESTAGE_IDLE_TICKS + 9 }, false)).toBe(
      false,
    );
    expect(isDue({ idle: DESTAGE_IDLE_TICKS, total: DESTAGE_IDLE_TICKS }, false)).toBe(true);
    expect(isDue({ idle: 0, total: DESTAGE_MAX_TICKS }, false)).toBe(true);
    expect(isDue({ idle: 0, total: 0 }, true)).toBe(true);
    expect([isCrowded(4, 8), isCrowded(5, 8)]).toEqual([false, true]);
  });

  test("runDiskDirector() destages idle tracks, and hot ones only at the age limit", async () => {
    create(16);
    const stop = new AbortController();
    const pending: number[] = [];
    let hot = () => {};
    const clock = steppedClock(() => {
      pending.push(board().writePending);
      hot();
      if (pending.length > DESTAGE_MAX_TICKS + 2) stop.abort();
    });
    const host = attach({ ...place.parts, clock });
    const volume = host.volume("v0");
    const bytes = new Uint8Array(RECORD);
    for (let track = 0; track < 5; track++) volume.write(track * TRACK, bytes);
    hot = () => volume.write(0, bytes);
    await host.runDiskDirector({ signal: stop.signal });
    expect(pending[0]).toBe(5);
    expect(pending[DESTAGE_IDLE_TICKS]).toBe(1);
    expect(board().destages).toBe(5);
    expect(host.counters().directorFailure).toBe(null);
  });

  test("runDiskDirector() destages at once when the cache is crowded", async () => {
    create(4);
    const stop = new AbortController();
    const clock = steppedClock(() => stop.abort());
    const host = attach({ ...place.parts, clock });
    for (let track = 0; track < 4; track++) {
      host.volume("v0").write(track * TRACK, new Uint8Array(RECORD));
    }
    await host.runDiskDirector({ signal: stop.signal });
    expect(board().writePending).toBe(2);
  });

  test("the last close() destages upwards over the addresses, whatever the order of the writes", () => {
    create(16);
    const written: number[] = [];
    const host = attach(watchDevices(place.parts, ({ operation, offsetBytes }) => {
      if (operation === "destage") written.push(offsetBytes / TRACK);
    }));
    for (const track of [9, 2, 15, 4, 0, 7]) {
      host.volume("v0").write(track * TRACK, new Uint8Array(RECORD));
    }
    host.close();
    expect(written).toEqual([0, 2, 4, 7, 9, 15]);
  });

  test("runDiskDirector() is active in one attachment and taken over by another", async () => {
    create(16);
    const first = new AbortController();
    const second = new AbortController();
    let firstTicks = 0;
    const one = attach({
      ...place.parts,
      clock: steppedClock(() => {
        if (++firstTicks >= 3) first.abort();
      }),
    });
    let secondTicks = 0;
    const two = attach({
      ...place.parts,
      clock: steppedClock(() => {
        if (++secondTicks >= 20) second.abort();
      }),
    });
    one.volume("v0").write(0, new Uint8Array(RECORD));
    await Promise.all([
      one.runDiskDirector({ signal: first.signal }),
      two.runDiskDirector({ signal: second.signal }),
    ]);
    expect(firstTicks).toBe(3);
    expect(board()).toMatchObject({ destages: 1, writePending: 0 });
  });

  test("runDiskDirector() goes on after a device failed, and says why", async () => {
    create(16);
    const stop = new AbortController();
    let ticks = 0;
    const failures: (string | null)[] = [];
    const clock = steppedClock(() => {
      failures.push(host.counters().directorFailure);
      ticks++;
      if (ticks === DESTAGE_IDLE_TICKS + 3) clearFaults(place.path, null, place.parts);
      if (ticks > DESTAGE_IDLE_TICKS + 8) stop.abort();
    });
    addFault(place.path, { kind: "io-error", on: "destage" }, place.parts);
    const host = attach({ ...place.parts, clock });
    host.volume("v0").write(0, new Uint8Array(RECORD));
    await host.runDiskDirector({ signal: stop.signal });
    expect(failures.some((failure) => failure?.includes("I/O error"))).toBe(true);
    expect(host.counters().directorFailure).toBe(null);
    expect(board().writePending).toBe(0);
  });
});
