// Random runs of the array against a plain array of bytes. Each run prints its seed when it fails;
// ARRAY_SEED repeats one.

import { describe, expect, test } from "bun:test";
import { attachArray, type AttachedArray, checkArray, createArray } from "../../../emulator/mod.ts";
import { arrayStatus, destageArray } from "../../../emulator/mod.ts";
import { firstDifference } from "../../contract/volume_conformance.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const VOLUMES = 3;
const VOLUME_BYTES = 3 * 2 ** 20;
const BLOCK = 4096;
const STEPS = 600;

const fixed = [1, 2, 3];
const given = process.env["ARRAY_SEED"];
const seeds = given === undefined ? [...fixed, Date.now() % 2 ** 31] : [Number(given)];

interface Run {
  readonly seed: number;
  readonly place: TemporaryArray;
  readonly random: (limit: number) => number;
  readonly model: readonly Uint8Array[];
  readonly hosts: AttachedArray[];
}

describe("array against a model", () => {
  for (const seed of seeds) {
    for (const slots of [1, 5, 64]) {
      test(`read() gives what was written last, seed ${seed}, ${slots} slots`, async () => {
        const place = await temporaryArray();
        try {
          const boards = slots === 1 ? 1 : 3;
          createArray(place.path, {
            volumes: VOLUMES,
            volumeBytes: VOLUME_BYTES,
            boards,
            cacheBytes: slots * 65536,
            memory: "memory",
          }, place.parts);
          runSteps(place, seed);
        } finally {
          await place.dispose();
        }
      });
    }
  }
});

function runSteps(place: TemporaryArray, seed: number): void {
  const run: Run = {
    seed,
    place,
    random: seededRandom(seed),
    model: Array.from({ length: VOLUMES }, () => new Uint8Array(VOLUME_BYTES)),
    hosts: [attach(place), attach(place)],
  };
  try {
    for (let step = 0; step < STEPS; step++) {
      takeStep(run);
      if (step % 100 === 99) expect(checkArray(place.path, place.parts)).toEqual([]);
    }
    for (let volume = 0; volume < VOLUMES; volume++) compare(run, volume, 0, VOLUME_BYTES);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  } finally {
    for (const host of run.hosts) host.close();
  }
  compareDeviceFiles(run);
}

function attach(place: TemporaryArray): AttachedArray {
  return attachArray(place.path, { hostName: "model" }, place.parts);
}

function takeStep(run: Run): void {
  const volume = run.random(VOLUMES);
  const offset = run.random(VOLUME_BYTES / BLOCK) * BLOCK;
  const most = Math.min(run.random(8) === 0 ? 2 ** 20 : 20 * BLOCK, VOLUME_BYTES - offset);
  const count = (1 + run.random(most / BLOCK)) * BLOCK;
  const kind = run.random(100);
  if (kind < 48) write(run, volume, offset, count);
  else if (kind < 96) compare(run, volume, offset, count);
  else if (kind < 98) destageArray(run.place.path, run.place.parts);
  else reattach(run);
}

function write(run: Run, volume: number, offset: number, count: number): void {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 512) bytes.fill(run.random(256), at, at + 512);
  pick(run).volume(`v${volume}`).write(offset, bytes);
  run.model[volume]?.set(bytes, offset);
}

function compare(run: Run, volume: number, offset: number, count: number): void {
  const found = new Uint8Array(count);
  pick(run).volume(`v${volume}`).read(offset, found);
  const wanted = run.model[volume]?.subarray(offset, offset + count) ?? new Uint8Array(0);
  const difference = firstDifference(found, wanted);
  if (difference < 0) return;
  throw new Error(`v${volume} differs at ${offset + difference} (ARRAY_SEED=${run.seed})`);
}

function reattach(run: Run): void {
  const index = run.random(run.hosts.length);
  run.hosts[index]?.close();
  run.hosts[index] = attach(run.place);
}

function pick(run: Run): AttachedArray {
  const host = run.hosts[run.random(run.hosts.length)];
  if (host === undefined) throw new Error("the run has hosts");
  return host;
}

/** After the last host detached everything is on the devices. */
function compareDeviceFiles(run: Run): void {
  const { path, parts } = run.place;
  expect(arrayStatus(path, parts).boards.reduce((sum, board) => sum + board.writePending, 0)).toBe(
    0,
  );
  const bytes = new Uint8Array(VOLUME_BYTES);
  for (let volume = 0; volume < VOLUMES; volume++) {
    const descriptor = parts.files.open(-100, `${path}/v${volume}.dev`, { access: "read" });
    try {
      parts.files.readAt(descriptor, 0, bytes);
    } finally {
      parts.files.close(descriptor);
    }
    expect(firstDifference(bytes, run.model[volume] ?? bytes)).toBe(-1);
  }
}
