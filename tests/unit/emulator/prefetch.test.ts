// Sequential readers: the policy alone, then what the directors stage, use, spare and waste.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  removeArray,
} from "../../../emulator/mod.ts";
import { PREFETCH_MOST_TRACKS, PREFETCH_STREAMS } from "../../../emulator/limits.ts";
import { SequentialStreams } from "../../../emulator/prefetch_policy.ts";
import { openBoards } from "../../../emulator/system_bus.ts";
import { ArrayDirectory } from "../../../emulator/array_directory.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import { patternBytes } from "../../contract/volume_conformance.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";
import { type DeviceAccess, watchDevices } from "./watched_devices.ts";

const RECORD = 4096;
const TRACK = 65536;
const MIB = 2 ** 20;

describe("SequentialStreams", () => {
  const miss = (track: number, device = 0) => ({ device, track, tracks: 1 });

  test("onMiss() doubles what is ahead of a reader that goes on, up to the limit", () => {
    const streams = new SequentialStreams();
    const windows: number[] = [];
    for (let track = 5; windows.length < 6;) {
      const ahead = streams.onMiss(miss(track), 99);
      windows.push(ahead);
      track += 1 + ahead;
    }
    expect(windows).toEqual([0, 2, 4, 8, PREFETCH_MOST_TRACKS, PREFETCH_MOST_TRACKS]);
  });

  test("onMiss() gives no more than there is room for, and goes on behind that", () => {
    const streams = new SequentialStreams();
    streams.onMiss(miss(0), 99);
    expect(streams.onMiss(miss(1), 1)).toBe(1);
    expect(streams.onMiss(miss(3), 99)).toBe(4);
  });

  test("onMiss() halves what is ahead when the cache gave it up before it was used", () => {
    const streams = new SequentialStreams();
    streams.onMiss(miss(0), 99);
    streams.onMiss(miss(1), 99);
    expect(streams.onMiss(miss(4), 99)).toBe(4);
    expect(streams.onMiss(miss(6), 99)).toBe(2);
    expect(streams.onMiss(miss(7), 99)).toBe(1);
    expect(streams.onMiss(miss(8), 99)).toBe(0);
  });

  test("onMiss() follows several readers at once, and devices apart", () => {
    const streams = new SequentialStreams();
    for (let reader = 0; reader < PREFETCH_STREAMS; reader++) {
      streams.onMiss(miss(1000 * reader), 9);
    }
    expect(streams.onMiss(miss(1, 1), 9)).toBe(0);
    // The eighth other reader pushed the first out of the table.
    expect(streams.onMiss(miss(1), 9)).toBe(0);
    expect(streams.onMiss(miss(3001), 9)).toBe(2);
    expect(streams.onMiss(miss(7001), 9)).toBe(2);
  });

  test("onMiss() stages nothing ahead of a reader that never goes on", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }), (places) => {
        const streams = new SequentialStreams();
        for (const place of places) expect(streams.onMiss(miss(2 * place), 99)).toBe(0);
      }),
    );
  });
});

describe("prefetch", () => {
  let place: TemporaryArray;
  let hosts: AttachedArray[] = [];
  let staged: number[] = [];
  const content = patternBytes(4 * MIB, 7);

  beforeEach(async () => {
    place = await temporaryArray();
    staged = [];
  });
  afterEach(async () => {
    for (const host of hosts) host.close();
    hosts = [];
    await place.dispose();
  });

  function attach(onAccess: (access: DeviceAccess) => void = () => {}): AttachedArray {
    const parts = watchDevices(place.parts, (access) => {
      if (access.operation === "stage") staged.push(access.bytes / TRACK);
      onAccess(access);
    });
    const host = attachArray(place.path, { hostName: "test" }, parts);
    staged = []; // The device's label was read.
    hosts.push(host);
    return host;
  }

  /** Three volumes with content on their devices and an empty cache of `slots` on one board. */
  function create(slots: number): void {
    const options = { volumes: 3, volumeBytes: 4 * MIB, boards: 1, cacheBytes: slots * TRACK };
    createArray(place.path, { ...options, memory: "memory" }, place.parts);
    const { files } = place.parts;
    for (const name of ["v0", "v1", "v2"]) {
      const device = files.open(-100, `${place.path}/${name}.dev`, { access: "write" });
      files.writeAllAt(device, 0, content);
      files.close(device);
    }
  }

  function readTracks(host: AttachedArray, name: string, first: number, count: number): void {
    const track = new Uint8Array(TRACK);
    for (let at = first; at < first + count; at++) {
      host.volume(name).read(at * TRACK, track);
      expect(track).toEqual(content.subarray(at * TRACK, (at + 1) * TRACK));
    }
  }

  test("a reader of consecutive tracks gets the next ones by one read of the device", () => {
    create(128);
    const host = attach();
    readTracks(host, "v0", 0, 64);
    // One alone, then ever more ahead, up to the end of each cylinder.
    expect(staged).toEqual([1, 3, 5, 7, 16, 16, 16]);
    const figures = { hits: 57, misses: 7, stages: 64, prefetches: 57, prefetchesUsed: 57 };
    expect(host.counters()).toMatchObject({ ...figures, prefetchesWasted: 0, evictions: 0 });
    host.close();
    expect(arrayStatus(place.path, place.parts).boards[0]).toMatchObject(figures);
  });

  test("read() of several missing tracks is one read of the device, and counts each", () => {
    create(128);
    const host = attach();
    const volume = host.volume("v0");
    volume.write(2 * TRACK, content.slice(2 * TRACK, 3 * TRACK));
    const bytes = new Uint8Array(6 * TRACK);
    volume.read(10 * TRACK, bytes);
    expect(bytes).toEqual(content.subarray(10 * TRACK, 16 * TRACK));
    volume.read(RECORD, bytes.subarray(0, 4 * TRACK));
    expect(bytes.subarray(0, 4 * TRACK)).toEqual(content.subarray(RECORD, RECORD + 4 * TRACK));
    expect(staged).toEqual([6, 2, 2]);
    expect(host.counters()).toMatchObject({ hits: 1, misses: 10, stages: 10, prefetches: 0 });
  });

  test("a reader of tracks here and there gets nothing ahead", () => {
    create(128);
    const host = attach();
    for (const track of [9, 3, 50, 30, 17, 60]) readTracks(host, "v0", track, 1);
    expect(host.counters()).toMatchObject({ prefetches: 0, stages: 6 });
  });

  test("prefetch takes no slot that is pending or was used of late", () => {
    create(16);
    const [host, reader] = [attach(), attach()];
    const volume = host.volume("v1");
    for (let track = 0; track < 8; track++) {
      volume.write(track * TRACK, content.slice(track * TRACK, track * TRACK + RECORD));
    }
    for (let track = 0; track < 64; track++) {
      for (const hot of [12, 10, 8]) readTracks(host, "v1", hot, 1);
      readTracks(reader, "v0", track, 1);
    }
    // Nothing of the other host was staged a second time or destaged.
    expect(host.counters()).toMatchObject({ misses: 3, stages: 3 });
    expect(reader.counters()).toMatchObject({ destages: 0, prefetchesWasted: 0 });
    expect(reader.counters().prefetches).toBeGreaterThan(8);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("prefetch takes no slot of a cache that is all pending", () => {
    create(128);
    const host = attach();
    for (const name of ["v1", "v2"]) host.volume(name).write(0, content);
    readTracks(host, "v0", 0, 4);
    expect(host.counters()).toMatchObject({ prefetches: 0, misses: 4 });
    for (const name of ["v1", "v2"]) readTracks(host, name, 0, 64);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("a cache of a few slots has nothing staged ahead, and works", () => {
    for (const slots of [1, 2, 7]) {
      create(slots);
      const host = attach();
      readTracks(host, "v0", 0, 40);
      const bytes = new Uint8Array(MIB);
      host.volume("v0").read(2 * MIB + RECORD, bytes);
      expect(bytes).toEqual(content.subarray(2 * MIB + RECORD, 3 * MIB + RECORD));
      expect(host.counters()).toMatchObject({ prefetches: 0, misses: 57, stages: 57 });
      expect(checkArray(place.path, place.parts)).toEqual([]);
      host.close();
      removeArray(place.path, place.parts);
    }
  });

  test("what was staged ahead and given up unused is wasted, and counted once", () => {
    create(16);
    const host = attach();
    readTracks(host, "v0", 0, 2);
    expect(host.counters()).toMatchObject({ prefetches: 2, prefetchesUsed: 0 });
    const bytes = new Uint8Array(RECORD);
    for (let track = 0; track < 16; track++) host.volume("v1").write(track * TRACK, bytes);
    expect(host.counters()).toMatchObject({
      prefetches: 2,
      prefetchesUsed: 0,
      prefetchesWasted: 2,
    });
    readTracks(host, "v0", 2, 1);
    expect(host.counters()).toMatchObject({
      prefetches: 2,
      prefetchesUsed: 0,
      prefetchesWasted: 2,
    });
  });

  test("a write to a track that was staged ahead uses it", () => {
    create(16);
    const host = attach();
    readTracks(host, "v0", 0, 2);
    host.volume("v0").write(2 * TRACK, new Uint8Array(RECORD));
    host.volume("v0").write(2 * TRACK, new Uint8Array(RECORD));
    expect(host.counters()).toMatchObject({ prefetches: 2, prefetchesUsed: 1 });
  });

  test("a device that cannot read ahead still serves what was asked for", () => {
    create(128);
    const host = attach(({ operation, bytes }) => {
      if (operation === "stage" && bytes > TRACK) throw new SystemError("EIO", "read", "v0.dev");
    });
    readTracks(host, "v0", 0, 4);
    const bytes = new Uint8Array(3 * TRACK);
    host.volume("v0").read(20 * TRACK, bytes);
    expect(bytes).toEqual(content.subarray(20 * TRACK, 23 * TRACK));
    expect(host.counters()).toMatchObject({ misses: 7, stages: 7, prefetches: 0 });
  });

  test("staging leaves damaged records away, those of tracks ahead too", () => {
    create(128);
    const host = attach();
    const { geometry } = host;
    const directory = new ArrayDirectory(place.path);
    const [board] = openBoards(place.parts, { directory, geometry }, 1);
    if (board === undefined) throw new Error("the array has a board");
    board.cache.index.setDamaged(1, 0, 2);
    board.cache.index.setDamaged(21, 0, 4);
    board.close();
    const volume = host.volume("v0");
    readTracks(host, "v0", 0, 1);
    volume.read(TRACK, new Uint8Array(RECORD));
    volume.read(3 * TRACK, new Uint8Array(RECORD));
    const damaged = () => volume.read(TRACK + RECORD, new Uint8Array(RECORD));
    expect(damaged).toThrow(AgentError);
    expect(() => volume.read(20 * TRACK, new Uint8Array(3 * TRACK))).toThrow(AgentError);
    volume.write(TRACK + RECORD, new Uint8Array(RECORD));
    damaged();
  });
});
