// The end of a process between any two of its stores to shared memory, simulated: the memory that
// an attachment gets stops working after a number of stores, with the last copy half done. Seeded.

import { describe, expect, test } from "bun:test";
import { attachArray, type AttachedArray, checkArray, createArray } from "../../../emulator/mod.ts";
import type { SharedMemories, SharedMemory } from "../../../transport/runtime/runtime.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const BYTES = 2 ** 20;
const RECORD = 4096;
const ROUNDS = 1500;
/** More stores than any single request of these makes. */
const MOST_STORES = 120;

/** Thrown in place of the end of the process. */
class Killed extends Error {}

/** Counts stores down; the one that reaches zero, and all after it, do not happen. */
class KillSwitch {
  storesLeft = Infinity;

  spend(): boolean {
    if (this.storesLeft <= 0) throw new Killed("after the end");
    return --this.storesLeft <= 0;
  }
}

function mortal(memories: SharedMemories, kill: KillSwitch): SharedMemories {
  return {
    map(path, sizeBytes): SharedMemory {
      const inner = memories.map(path, sizeBytes);
      return {
        sizeBytes,
        mapped: inner.mapped,
        read: (offsetBytes, into) => inner.read(offsetBytes, into),
        load32: (offsetBytes) => inner.load32(offsetBytes),
        write(offsetBytes, from): void {
          const last = kill.spend();
          inner.write(offsetBytes, last ? from.subarray(0, from.length / 2) : from);
          if (last) throw new Killed("in a copy");
        },
        store32(offsetBytes, value): void {
          if (kill.spend()) throw new Killed("before a store");
          inner.store32(offsetBytes, value);
        },
        close: () => inner.close(),
      };
    },
  };
}

interface Run {
  readonly place: TemporaryArray;
  readonly random: (limit: number) => number;
  readonly kill: KillSwitch;
  readonly model: Uint8Array;
  readonly observer: AttachedArray;
}

function attachMortal(run: Run): AttachedArray {
  const memories = mortal(run.place.parts.memories, run.kill);
  return attachArray(run.place.path, { hostName: "mortal" }, { ...run.place.parts, memories });
}

/** One request by a host that ends somewhere in it, or not. @returns true when it ended */
function requestOfMortal(run: Run): boolean {
  const host = attachMortal(run);
  const offset = run.random(BYTES / RECORD) * RECORD;
  const count = Math.min(BYTES - offset, (1 + run.random(40)) * RECORD);
  const bytes = new Uint8Array(count);
  const isWrite = run.random(3) > 0;
  const volume = host.volume("v0");
  run.kill.storesLeft = 1 + run.random(MOST_STORES);
  try {
    if (isWrite) volume.write(offset, bytes.fill(1 + run.random(255)));
    else volume.read(offset, bytes);
    if (isWrite) run.model.set(bytes, offset);
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    if (isWrite) takeMix(run, offset, bytes);
    return true;
  } finally {
    run.kill.storesLeft = Infinity;
    host.close();
  }
}

/** A write that never completed leaves, byte by byte, old or new; from now on it stays so. */
function takeMix(run: Run, offset: number, written: Uint8Array): void {
  const found = new Uint8Array(written.length);
  run.observer.volume("v0").read(offset, found);
  for (const [at, byte] of found.entries()) {
    if (byte === written[at] || byte === run.model[offset + at]) continue;
    throw new Error(`byte ${offset + at} is ${byte}, neither old nor new`);
  }
  run.model.set(found, offset);
}

describe("array whose process ends between two stores", () => {
  const seed = Number(process.env["ARRAY_SEED"] ?? Date.now() % 2 ** 31);

  test(`array is sound and keeps every complete write, seed ${seed}`, async () => {
    const place = await temporaryArray();
    const options = { volumes: 1, volumeBytes: BYTES, boards: 1, cacheBytes: 3 * 65536 };
    createArray(place.path, { ...options, memory: "memory" }, place.parts);
    const observer = attachArray(place.path, { hostName: "observer" }, place.parts);
    try {
      const kill = new KillSwitch();
      const model = new Uint8Array(BYTES);
      const run: Run = { place, random: seededRandom(seed), kill, model, observer };
      let kills = 0;
      const found = new Uint8Array(RECORD * 16);
      for (let round = 0; round < ROUNDS; round++) {
        if (requestOfMortal(run)) kills++;
        expect(checkArray(place.path, place.parts)).toEqual([]);
        const at = run.random(16) * found.length;
        observer.volume("v0").read(at, found);
        for (let within = 0; within < found.length; within += 512) {
          if (found[within] === model[at + within]) continue;
          throw new Error(`byte ${at + within} is ${found[within]}, need ${model[at + within]}`);
        }
      }
      expect(kills).toBeGreaterThan(ROUNDS / 4);
    } finally {
      observer.close();
      await place.dispose();
    }
  });
});
