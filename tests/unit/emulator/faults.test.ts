// Faults on demand in an array that is in use: each kind happens, in its scope, and ends when it is
// cleared; an array without faults pays nothing and retains what it takes.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import {
  addFault,
  applyFaults,
  attachArray,
  type AttachedArray,
  checkArray,
  clearFaults,
  createArray,
  destageArray,
  type FaultFields,
  listFaults,
  removeArray,
} from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import type { Clock } from "../../../transport/runtime/runtime.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
const CYLINDER = 16 * TRACK;

let place: TemporaryArray;
let dozedMs: number[] = [];
let host: AttachedArray;
let other: AttachedArray;

beforeEach(async () => {
  place = await temporaryArray();
  const sizes = { volumes: 2, volumeBytes: 4 * CYLINDER, boards: 2, cacheBytes: 8 * TRACK };
  createArray(place.path, { ...sizes, memory: "memory" }, place.parts);
  dozedMs = [];
  const { clock } = place.parts;
  const watched: Clock = {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    sleep: (ms, options) => clock.sleep(ms, options),
    yield: () => clock.yield(),
    doze: (ms) => void dozedMs.push(ms),
  };
  host = attachArray(place.path, { hostName: "web01" }, { ...place.parts, clock: watched });
  other = attachArray(place.path, { hostName: "web02" }, place.parts);
});
afterEach(async () => {
  clearFaults(place.path, null, place.parts);
  host.close();
  other.close();
  await place.dispose();
});

function add(fields: FaultFields): number {
  const { id } = addFault(place.path, { seed: 1, ...fields }, place.parts);
  // Who asks whether a volume retains meets the new rules from its next write on.
  for (const one of [host, other]) expect(one.volume("v0").retains).toBe(false);
  return id;
}

function fired(id: number): number | undefined {
  return listFaults(place.path, place.parts).find((one) => one.id === id)?.fired;
}

function bytes(fill: number, count = RECORD): Uint8Array {
  return new Uint8Array(count).fill(fill);
}

function write(offset: number, from: Uint8Array, to = host, device = "v0"): void {
  to.volume(device).write(offset, from);
}

function read(offset: number, count = RECORD, from = host, device = "v0"): Uint8Array {
  const into = new Uint8Array(count);
  from.volume(device).read(offset, into);
  return into;
}

function failure(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

/** Bits that differ. */
function distance(a: Uint8Array, b: Uint8Array): number {
  let bits = 0;
  for (const [at, byte] of a.entries()) {
    for (let rest = byte ^ (b[at] ?? 0); rest !== 0; rest &= rest - 1) bits++;
  }
  return bits;
}

/** Gives the slots to other tracks, so that the next read stages from the device. */
function evict(): void {
  destageArray(place.path, place.parts);
  for (let track = 0; track < 32; track++) read(track * TRACK, RECORD, other, "v1");
}

describe("each kind of fault happens, in its scope", () => {
  test("latency: the access dozes, within the limit, and others do not", () => {
    const id = add({ kind: "latency", latency: "5ms", device: "v0", on: "read" });
    read(0);
    expect(dozedMs).toEqual([5]);
    read(0, RECORD, host, "v1");
    write(0, bytes(1));
    expect(dozedMs).toEqual([5]);
    expect(fired(id)).toBe(1);
    for (let rule = 0; rule < 2; rule++) add({ kind: "latency", latency: "600ms", on: "write" });
    write(0, bytes(1));
    expect(dozedMs).toEqual([5, 1000]);
    add({ kind: "latency", latency: "600ms", on: "stage" });
    read(9 * TRACK, RECORD, host, "v1");
    expect(dozedMs).toEqual([5, 1000, 100]);
  });

  test("latency: distributions differ from access to access", () => {
    add({ kind: "latency", latency: "uniform:1ms-20ms" });
    add({ kind: "latency", latency: "exp:10ms", device: "v1" });
    for (let count = 0; count < 20; count++) read(0);
    expect(new Set(dozedMs).size).toBe(20);
    expect(Math.min(...dozedMs)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...dozedMs)).toBeLessThan(20);
  });

  test("io-error: an access fails, names its rule, and works again when it is cleared", () => {
    const id = add({ kind: "io-error", tracks: "1-2" });
    expect(failure(() => read(TRACK))).toContain(`I/O error (injected by rule ${id})`);
    expect(failure(() => write(2 * TRACK, bytes(1)))).toContain("volume: Cannot write");
    expect(failure(() => write(3 * TRACK, bytes(1)))).toBe("none");
    clearFaults(place.path, id, place.parts);
    expect(failure(() => read(TRACK))).toBe("none");
  });

  test("lost: a write is acknowledged and never lands", () => {
    write(0, bytes(1));
    const id = add({ kind: "lost", host: "web01" });
    write(0, bytes(2));
    expect(read(0)).toEqual(bytes(1));
    write(0, bytes(3), other);
    expect(read(0)).toEqual(bytes(3));
    expect(fired(id)).toBe(1);
  });

  test("torn: only a part of a write lands, of one record and of many", () => {
    for (const count of [RECORD, 8 * RECORD]) {
      const shapes = new Set<string>();
      const id = add({ kind: "torn" });
      for (let round = 0; round < 20; round++) {
        clearFaults(place.path, null, place.parts);
        write(0, bytes(1, count));
        add({ kind: "torn", seed: round });
        write(0, bytes(2, count));
        const landed = read(0, count);
        expect(landed.every((byte) => byte === 1 || byte === 2)).toBe(true);
        expect(landed.includes(1)).toBe(true);
        shapes.add(landed.filter((_, at) => at % 512 === 0).join(""));
      }
      expect(id).toBeGreaterThan(0);
      expect(shapes.size).toBeGreaterThan(4);
    }
  });

  test("stale: a read returns what this host read there before", () => {
    const id = add({ kind: "stale", probability: 0.5 });
    write(0, bytes(1));
    expect(read(0)).toEqual(bytes(1));
    write(0, bytes(2));
    const seen = new Set<number>();
    for (let count = 0; count < 40; count++) seen.add(read(0)[0] ?? 0);
    expect([...seen].sort()).toEqual([1, 2]);
    expect(read(0, RECORD, other)).toEqual(bytes(2));
    expect(fired(id)).toBeGreaterThan(5);
  });

  test("flip: in transit one bit of a read, on the medium one bit of a write", () => {
    write(0, bytes(0));
    const transit = add({ kind: "flip", host: "web01" });
    expect(distance(read(0), bytes(0))).toBe(1);
    expect(read(0, RECORD, other)).toEqual(bytes(0));
    clearFaults(place.path, transit, place.parts);
    expect(read(0)).toEqual(bytes(0));
    add({ kind: "flip", on: "write" });
    const image = bytes(7);
    write(0, image);
    expect(image).toEqual(bytes(7));
    expect(distance(read(0, RECORD, other), bytes(7))).toBe(1);
    expect(distance(read(0), bytes(7))).toBe(1);
  });

  test("device-gone: every access to it fails until it is cleared, and nothing is lost", () => {
    write(0, bytes(5));
    const id = add({ kind: "device-gone", device: "v0" });
    expect(failure(() => read(0))).toContain("the device is gone");
    expect(failure(() => write(0, bytes(6)))).toContain("the device is gone");
    expect(failure(() => destageArray(place.path, place.parts))).toContain("Cannot destage");
    expect(failure(() => read(0, RECORD, host, "v1"))).toBe("none");
    clearFaults(place.path, id, place.parts);
    evict();
    expect(read(0)).toEqual(bytes(5));
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("board-gone: accesses to the cylinders on it fail until it is cleared", () => {
    const id = add({ kind: "board-gone", board: 1 });
    expect(failure(() => read(CYLINDER))).toContain("memory board 1 is gone");
    expect(failure(() => write(CYLINDER - RECORD, bytes(1, 2 * RECORD)))).toContain("board 1");
    expect(failure(() => write(2 * CYLINDER, bytes(1)))).toBe("none");
    clearFaults(place.path, id, place.parts);
    expect(failure(() => read(CYLINDER))).toBe("none");
  });
});

describe("faults between cache and device", () => {
  test("io-error: what cannot be destaged stays pending, and is destaged when it works", () => {
    write(0, bytes(4));
    const id = add({ kind: "io-error", on: "destage" });
    expect(failure(() => destageArray(place.path, place.parts))).toContain("Cannot destage");
    expect(read(0)).toEqual(bytes(4));
    clearFaults(place.path, id, place.parts);
    evict();
    expect(read(0)).toEqual(bytes(4));
  });

  test("lost, torn and flip: the device has something else than the cache had", () => {
    const landed = (kind: string) => {
      clearFaults(place.path, null, place.parts);
      write(0, bytes(1, TRACK));
      evict();
      write(0, bytes(2, TRACK));
      add({ kind, on: "destage" });
      expect(read(0, TRACK)).toEqual(bytes(2, TRACK));
      evict();
      return read(0, TRACK);
    };
    expect(landed("lost")).toEqual(bytes(1, TRACK));
    expect(distance(landed("flip"), bytes(2, TRACK))).toBe(1);
    expect(landed("torn").includes(1)).toBe(true);
  });

  test("stale and flip: a stage fills the cache with something else", () => {
    write(0, bytes(1, TRACK));
    evict();
    add({ kind: "stale", on: "stage" });
    expect(read(0)).toEqual(bytes(1));
    write(0, bytes(2, TRACK));
    evict();
    expect(read(0)).toEqual(bytes(1));
    clearFaults(place.path, null, place.parts);
    evict();
    expect(read(0)).toEqual(bytes(2));
    add({ kind: "flip", on: "stage" });
    evict();
    expect(distance(read(0, TRACK), bytes(2, TRACK))).toBe(1);
  });
});

describe("switching faults on and off", () => {
  test("a count holds over all hosts, and a new rule starts anew", () => {
    const id = add({ kind: "io-error", count: 3 });
    const failures = [host, other, host, other, host].map((one) =>
      failure(() => read(0, RECORD, one)) !== "none"
    );
    expect(failures).toEqual([true, true, true, false, false]);
    expect(fired(id)).toBe(3);
    clearFaults(place.path, null, place.parts);
    const next = add({ kind: "io-error", count: 1 });
    expect(next).toBeGreaterThan(id);
    expect(fired(next)).toBe(0);
    expect(failure(() => read(0))).not.toBe("none");
  });

  test("a volume retains without faults, and never again once it saw some", () => {
    const volume = host.volume("v0");
    expect(volume.retains).toBe(true);
    volume.write(0, bytes(1));
    expect(volume.retains).toBe(true);
    addFault(place.path, { kind: "lost" }, place.parts);
    // Nobody asked since: this write may be one whose user was told that the volume retains.
    volume.write(0, bytes(2));
    expect(read(0)).toEqual(bytes(2));
    expect(volume.retains).toBe(false);
    volume.write(0, bytes(3));
    expect(read(0)).toEqual(bytes(2));
    clearFaults(place.path, null, place.parts);
    volume.write(0, bytes(4));
    expect(read(0)).toEqual(bytes(4));
    expect([volume.retains, host.volume("v1").retains]).toEqual([false, false]);
    expect(other.volume("v0").retains).toBe(false);
    const fresh = attachArray(place.path, { hostName: "web03" }, place.parts);
    try {
      expect(fresh.volume("v0").retains).toBe(true);
    } finally {
      fresh.close();
    }
  });

  test("a host that only fails to write notices that the fault was cleared", () => {
    const id = add({ kind: "io-error", on: "write" });
    const volume = host.volume("v0");
    expect(failure(() => volume.write(0, bytes(1)))).toContain("I/O error");
    clearFaults(place.path, id, place.parts);
    expect(failure(() => volume.write(0, bytes(1)))).toBe("none");
  });

  test("a file that was edited by hand takes effect when it is applied, or is refused", () => {
    add({ kind: "io-error", on: "write" });
    const path = `${place.path}/faults.json`;
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"write"', '"read"'));
    expect(applyFaults(place.path, place.parts)).toBe(1);
    expect(failure(() => read(0))).toContain("I/O error");
    // Another rule in the place of the first one: what that one did is not its own.
    expect(fired(1)).toBe(1);
    writeFileSync(path, text.replace('"id": 1', '"id": 65').replace('"next": 2', '"next": 66'));
    expect(applyFaults(place.path, place.parts)).toBe(1);
    expect(fired(65)).toBe(0);
    writeFileSync(path, text.replace('"write"', '"raed"'));
    const apply = () => applyFaults(place.path, place.parts);
    expect(failure(apply)).toContain('rules[0].on: found "raed", need some of read,write');
    const attach = () => attachArray(place.path, { hostName: "x" }, place.parts);
    expect(failure(attach)).toContain("faults.json");
    writeFileSync(path, text);
  });

  test("mistakes are named, and the rules stay as they were", () => {
    const id = add({ kind: "lost", probability: 0.5 });
    const wrong = () => add({ kind: "lost", device: "v7", on: "read" });
    expect(failure(wrong)).toContain('device: found "v7", need v0 or v1');
    expect(failure(wrong)).toContain('on: found "read", need some of write,destage');
    expect(failure(() => clearFaults(place.path, 99, place.parts))).toContain("not_found");
    expect(listFaults(place.path, place.parts).map((one) => one.id)).toEqual([id]);
    for (let rule = 1; rule < 64; rule++) add({ kind: "lost", host: "nobody" });
    expect(failure(() => add({ kind: "lost" }))).toContain("64 rules there");
  });

  test("removeArray() removes what belongs to faults", () => {
    const id = add({ kind: "io-error" });
    failure(() => read(0));
    clearFaults(place.path, id, place.parts);
    host.close();
    other.close();
    removeArray(place.path, place.parts);
    expect(failure(() => listFaults(place.path, place.parts))).toContain("not_found");
    createArray(place.path, { volumes: 1, volumeBytes: CYLINDER, memory: "memory" }, place.parts);
  });
});
