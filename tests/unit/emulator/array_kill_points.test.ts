// A process that ends between any two of its stores (mortal_parts.ts) leaves an array that is
// sound, with every write that completed. Seeded.

import { describe, expect, test } from "bun:test";
import {
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  failPower,
} from "../../../emulator/mod.ts";
import { Killed, KillSwitch, mortalParts } from "./mortal_parts.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const BYTES = 2 ** 20;
const RECORD = 4096;
const ROUNDS = 1500;
/** More stores than any single request of these makes. */
const MOST_STORES = 120;

interface Run {
  readonly place: TemporaryArray;
  readonly random: (limit: number) => number;
  readonly kill: KillSwitch;
  readonly model: Uint8Array;
  readonly observer: AttachedArray;
}

function attachMortal(run: Run): AttachedArray {
  const parts = mortalParts(run.place.parts, run.kill);
  return attachArray(run.place.path, { hostName: "mortal" }, parts);
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
  } finally {
    run.kill.storesLeft = Infinity;
    // The end of a process lets go of its locks, also when it was just about to.
    host.close();
  }
  if (isWrite) takeMix(run, offset, bytes);
  return true;
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

  test("a lost record is counted as long as it is marked, wherever its rewrite ends", async () => {
    const place = await temporaryArray();
    const options = { volumes: 1, volumeBytes: BYTES, boards: 1, cacheBytes: 3 * 65536 };
    createArray(place.path, { ...options, memory: "memory" }, place.parts);
    const observer = attachArray(place.path, { hostName: "observer" }, place.parts);
    const record = new Uint8Array(RECORD);
    let other: AttachedArray | null = null;
    try {
      let kills = 0;
      for (let stores = 1;; stores++) {
        (other ?? observer).volume("v0").write(0, record);
        failPower(place.path, place.parts);
        other?.close();
        other = attachArray(place.path, { hostName: "other" }, place.parts);
        const kill = new KillSwitch();
        const host = attachArray(
          place.path,
          { hostName: "mortal" },
          mortalParts(place.parts, kill),
        );
        kill.storesLeft = stores;
        let ended = false;
        try {
          host.volume("v0").write(0, record);
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
          ended = true;
        }
        kill.storesLeft = Infinity;
        host.close();
        const wrong = checkArray(place.path, place.parts).filter(({ lost }) => lost === undefined);
        expect(wrong).toEqual([]);
        if (!ended) break;
        kills++;
      }
      expect(kills).toBeGreaterThan(10);
    } finally {
      other?.close();
      observer.close();
      await place.dispose();
    }
  });
});
