// Random runs of the array against a plain array of bytes: reads, writes, destages, evictions,
// hosts that end in the middle of a request, attachments, power failures, accepted losses. Each run
// prints its seed; ARRAY_SEED repeats one, ARRAY_STEPS makes it longer.
//
// The model knows of each record its content, whether it may be pending (written since everything
// was destaged), and whether it is lost. What the model does not know is which pending records were
// destaged before the power failed: there check must say, and only of records that may be pending.

import { describe, expect, test } from "bun:test";
import {
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  destageArray,
  failPower,
  repairArray,
} from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { firstDifference } from "../../contract/volume_conformance.ts";
import { Killed, KillSwitch, mortalParts } from "./mortal_parts.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const VOLUMES = 3;
const VOLUME_BYTES = 3 * 2 ** 20;
const BLOCK = 4096;
const STEPS = Number(process.env["ARRAY_STEPS"] ?? "2000");
/** About what a request of a few records makes. */
const STORES_MAX = 150;

const given = process.env["ARRAY_SEED"];
const fresh = Array.from({ length: 5 }, (_, count) => (Date.now() + count * 7919) % 2 ** 31);
const seeds = given === undefined ? [1, 2, 3, 4, 5, ...fresh] : [Number(given)];

interface Volume {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** By record. */
  readonly dirty: Set<number>;
  readonly lost: Set<number>;
}

interface Range {
  readonly volume: Volume;
  readonly offset: number;
  readonly count: number;
}

class Run {
  readonly #seed: number;
  readonly #place: TemporaryArray;
  readonly #random: (limit: number) => number;
  readonly #volumes: readonly Volume[];
  readonly #hosts: AttachedArray[];
  crashes = 0;
  losses = 0;

  constructor(place: TemporaryArray, seed: number) {
    this.#seed = seed;
    this.#place = place;
    this.#random = seededRandom(seed);
    this.#volumes = Array.from({ length: VOLUMES }, (_, index) => ({
      name: `v${index}`,
      bytes: new Uint8Array(VOLUME_BYTES),
      dirty: new Set(),
      lost: new Set(),
    }));
    this.#hosts = [this.#attach(), this.#attach()];
  }

  run(): void {
    try {
      for (let step = 0; step < STEPS; step++) {
        this.#step();
        if (step % 100 === 99) this.#expectSound();
      }
      this.#compareAll();
      this.#expectSound();
    } finally {
      this.#closeHosts();
    }
    this.#compareDevices();
  }

  #step(): void {
    const kind = this.#random(1000);
    if (kind < 440) this.#write(this.#pick(), this.#range());
    else if (kind < 880) this.#compare(this.#pick(), this.#range());
    else if (kind < 960) this.#crash(this.#range());
    else if (kind < 975) this.#destage();
    else if (kind < 990) this.#reattach();
    else if (kind < 996) this.#powerFailure();
    else this.#acceptLoss();
  }

  #range(): Range {
    const volume = this.#volumes[this.#random(VOLUMES)];
    if (volume === undefined) throw new Error("the run has volumes");
    const offset = this.#random(VOLUME_BYTES / BLOCK) * BLOCK;
    const most = Math.min(this.#random(20) === 0 ? 2 ** 20 : 20 * BLOCK, VOLUME_BYTES - offset);
    return { volume, offset, count: (1 + this.#random(most / BLOCK)) * BLOCK };
  }

  #content(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 512) bytes.fill(this.#random(256), at, at + 512);
    return bytes;
  }

  #write(host: AttachedArray, range: Range): void {
    const bytes = this.#content(range.count);
    host.volume(range.volume.name).write(range.offset, bytes);
    range.volume.bytes.set(bytes, range.offset);
    for (const record of recordsIn(range)) {
      range.volume.lost.delete(record);
      range.volume.dirty.add(record);
    }
  }

  #compare(host: AttachedArray, range: Range): void {
    const { volume, offset, count } = range;
    const found = new Uint8Array(count);
    const isLost = recordsIn(range).some((record) => volume.lost.has(record));
    const outcome = outcomeOf(() => host.volume(volume.name).read(offset, found));
    if (outcome !== (isLost ? "volume" : "done")) {
      throw this.#failure(`reading ${volume.name} at ${offset} gives ${outcome}, lost: ${isLost}`);
    }
    if (isLost) return;
    const difference = firstDifference(found, volume.bytes.subarray(offset, offset + count));
    if (difference >= 0) throw this.#failure(`${volume.name} differs at ${offset + difference}`);
  }

  /** A host that ends somewhere in a request, or not. */
  #crash(range: Range): void {
    const kill = new KillSwitch();
    const parts = mortalParts(this.#place.parts, kill);
    const host = attachArray(this.#place.path, { hostName: "mortal" }, parts);
    const isWrite = this.#random(3) > 0;
    const bytes = this.#content(range.count);
    const volume = host.volume(range.volume.name);
    kill.storesLeft = 1 + this.#random(STORES_MAX);
    try {
      if (isWrite) volume.write(range.offset, bytes);
      else outcomeOf(() => volume.read(range.offset, new Uint8Array(range.count)));
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.crashes++;
    } finally {
      kill.storesLeft = Infinity;
      host.close();
    }
    if (isWrite) { for (const record of recordsIn(range)) this.#takeMix(range, record, bytes); }
  }

  /** A record of a write that may not have completed is, byte by byte, old or new, and stays so. */
  #takeMix({ volume, offset }: Range, record: number, written: Uint8Array): void {
    const at = record * BLOCK;
    const found = new Uint8Array(BLOCK);
    const outcome = outcomeOf(() => this.#pick().volume(volume.name).read(at, found));
    const wasLost = volume.lost.has(record);
    if (outcome === "volume" && wasLost) return;
    if (outcome !== "done") throw this.#failure(`${volume.name} at ${at} gives ${outcome}`);
    const changed = written.subarray(at - offset, at - offset + BLOCK);
    for (const [within, byte] of found.entries()) {
      if (byte === changed[within] || !wasLost && byte === volume.bytes[at + within]) continue;
      throw this.#failure(`${volume.name} at ${at + within} is neither old nor new`);
    }
    volume.bytes.set(found, at);
    volume.lost.delete(record);
    volume.dirty.add(record);
  }

  #destage(): void {
    destageArray(this.#place.path, this.#place.parts);
    for (const volume of this.#volumes) volume.dirty.clear();
  }

  #reattach(): void {
    const index = this.#random(this.#hosts.length);
    this.#hosts[index]?.close();
    this.#hosts[index] = this.#attach();
  }

  #powerFailure(): void {
    failPower(this.#place.path, this.#place.parts);
    const range = this.#range();
    expect(outcomeOf(() => this.#pick().volume(range.volume.name).write(0, new Uint8Array(BLOCK))))
      .toBe("volume");
    this.#closeHosts();
    this.#hosts.push(this.#attach(), this.#attach());
    const found = this.#lostRecords();
    for (const volume of this.#volumes) {
      const lost = found.get(volume.name) ?? new Set();
      for (const record of lost) {
        if (volume.dirty.has(record) || volume.lost.has(record)) continue;
        throw this.#failure(`record ${record} of ${volume.name} was destaged and is lost`);
      }
      for (const record of volume.lost) {
        if (!lost.has(record)) throw this.#failure(`record ${record} is lost no more`);
      }
      for (const record of lost) volume.lost.add(record);
      volume.dirty.clear();
      this.losses += lost.size;
    }
    this.#compareAll();
  }

  /** The older content of what is lost: whatever the devices hold. */
  #acceptLoss(): void {
    this.#closeHosts();
    repairArray(this.#place.path, { acceptLoss: true }, this.#place.parts);
    for (const volume of this.#volumes) {
      const device = this.#device(volume.name);
      for (const record of volume.lost) {
        const at = record * BLOCK;
        volume.bytes.set(device.subarray(at, at + BLOCK), at);
      }
      volume.lost.clear();
      volume.dirty.clear();
    }
    expect(checkArray(this.#place.path, this.#place.parts)).toEqual([]);
    this.#hosts.push(this.#attach(), this.#attach());
  }

  /** Record by record where something is lost, else at once. */
  #compareAll(): void {
    for (const volume of this.#volumes) {
      const step = volume.lost.size === 0 ? VOLUME_BYTES : BLOCK;
      for (let offset = 0; offset < VOLUME_BYTES; offset += step) {
        this.#compare(this.#pick(), { volume, offset, count: step });
      }
    }
  }

  #lostRecords(): ReadonlyMap<string, ReadonlySet<number>> {
    const lost = new Map<string, Set<number>>();
    for (const { lost: run, message } of checkArray(this.#place.path, this.#place.parts)) {
      if (run === undefined) throw this.#failure(message);
      const records = lost.get(run.device) ?? new Set();
      for (let at = 0; at < run.bytes; at += BLOCK) records.add((run.offsetBytes + at) / BLOCK);
      lost.set(run.device, records);
    }
    return lost;
  }

  #expectSound(): void {
    const found = this.#lostRecords();
    for (const { name, lost } of this.#volumes) {
      const sorted = (records: Iterable<number>) => [...records].sort((a, b) => a - b);
      expect(sorted(found.get(name) ?? [])).toEqual(sorted(lost));
    }
  }

  #attach(): AttachedArray {
    return attachArray(this.#place.path, { hostName: "model" }, this.#place.parts);
  }

  #pick(): AttachedArray {
    const host = this.#hosts[this.#random(this.#hosts.length)];
    if (host === undefined) throw new Error("the run has hosts");
    return host;
  }

  #closeHosts(): void {
    for (const host of this.#hosts.splice(0)) host.close();
  }

  /** After the last host detached everything is on the devices. */
  #compareDevices(): void {
    const { boards } = arrayStatus(this.#place.path, this.#place.parts);
    expect(boards.reduce((sum, board) => sum + board.writePending, 0)).toBe(0);
    for (const volume of this.#volumes) {
      const device = this.#device(volume.name);
      for (const record of volume.lost) device.set(recordOf(volume.bytes, record), record * BLOCK);
      expect(firstDifference(device, volume.bytes)).toBe(-1);
    }
  }

  #device(name: string): Uint8Array {
    const { path, parts } = this.#place;
    const bytes = new Uint8Array(VOLUME_BYTES);
    const descriptor = parts.files.open(-100, `${path}/${name}.dev`, { access: "read" });
    try {
      parts.files.readAt(descriptor, 0, bytes);
    } finally {
      parts.files.close(descriptor);
    }
    return bytes;
  }

  #failure(found: string): Error {
    return new Error(`${found} (ARRAY_SEED=${this.#seed})`);
  }
}

function recordsIn({ offset, count }: Range): number[] {
  return Array.from({ length: count / BLOCK }, (_, at) => offset / BLOCK + at);
}

function recordOf(bytes: Uint8Array, record: number): Uint8Array {
  return bytes.subarray(record * BLOCK, (record + 1) * BLOCK);
}

function outcomeOf(request: () => void): string {
  try {
    request();
    return "done";
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
}

describe("array against a model", () => {
  for (const seed of seeds) {
    const slots = [1, 5, 64][seed % 3] ?? 1;
    test(`read() gives what was written last, seed ${seed}, ${slots} slots`, async () => {
      const place = await temporaryArray();
      try {
        const shape = { boards: slots === 1 ? 1 : 3, cacheBytes: slots * 65536 };
        const options = { volumes: VOLUMES, volumeBytes: VOLUME_BYTES, ...shape };
        createArray(place.path, { ...options, memory: "memory" }, place.parts);
        const run = new Run(place, seed);
        run.run();
        expect(run.crashes).toBeGreaterThan(STEPS / 100);
        if (slots > 1) expect(run.losses).toBeGreaterThan(0);
      } finally {
        await place.dispose();
      }
    });
  }
});
