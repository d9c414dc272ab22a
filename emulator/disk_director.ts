// The disk director (Fig. 2, 36): stages, destages, gives up slots, and keeps the index true.
//
// Every attached process has one and uses it for its own misses, so that misses on different
// boards are served in parallel; one process at a time also runs the background pass
// (director_loop.ts). All of it runs under the lock of the board concerned.

import { assert } from "../transport/ground/assert.ts";
import { AgentError } from "../transport/ground/error.ts";
import { STATE } from "./board_layout.ts";
import { ALL_RECORDS } from "./cache.ts";
import { isCrowded, isDue } from "./destage_policy.ts";
import type { DiskAdapter } from "./disk_adapter.ts";
import type { FaultInjector } from "./fault_injector.ts";
import { type ArrayGeometry, type DeviceGeometry, trackOffset } from "./geometry.ts";
import { RECORD_BYTES, SCAN_PER_HOLD, TRACK_BYTES, TRACKS_PER_HOLD } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { forEachRun, recordList } from "./record_runs.ts";

/** Where a pass over a board's write-pending tracks stands. */
export interface DestageStep {
  /** Tracks written. */
  readonly tracks: number;
  /** Track to go on from; -1 when the pass is through. */
  readonly next: number;
}

export class DiskDirector {
  readonly #geometry: ArrayGeometry;
  readonly #adapter: DiskAdapter;
  readonly #faults: FaultInjector;
  readonly #scratch = new Uint8Array(TRACK_BYTES);

  constructor(geometry: ArrayGeometry, adapter: DiskAdapter, faults: FaultInjector) {
    this.#geometry = geometry;
    this.#adapter = adapter;
    this.#faults = faults;
  }

  /**
   * A slot for `track`, which has none: a free one, else the one that is given up for it.
   * @throws AgentError `volume` | `no_space` when a write-pending slot cannot be destaged
   */
  claim(board: MemoryBoard, track: number, device: DeviceGeometry): number {
    const { cache } = board;
    const free = cache.assign(track, device.index);
    if (free >= 0) return free;
    const victim = cache.victim();
    assert(victim >= 0, "a board without free slots has one to give up");
    if (cache.pending(victim) !== 0) this.destage(board, victim);
    cache.release(victim);
    board.count("evictions");
    const slot = cache.assign(track, device.index);
    assert(slot >= 0, "a slot that was given up is free");
    return slot;
  }

  /**
   * Reads the records of `slot`'s track that are not in cache from the device.
   * @throws AgentError `volume`; the slot is then still short of records
   */
  stage(board: MemoryBoard, slot: number, device: DeviceGeometry): void {
    const { cache } = board;
    const missing = ALL_RECORDS & ~cache.inCache(slot);
    if (missing === 0) return;
    const offsetBytes = this.#offsetOf(board, slot, device);
    const fetch = () => this.#adapter.read(device, offsetBytes, this.#scratch);
    const access = { operation: "stage", device, offsetBytes, bytes: TRACK_BYTES } as const;
    this.#faults.read(access, this.#scratch, fetch, recordList(missing));
    forEachRun(missing, (first, count) => {
      const from = first * RECORD_BYTES;
      const data = this.#scratch.subarray(from, from + count * RECORD_BYTES);
      cache.fill(slot, ((1 << count) - 1) << first, from, data);
    });
    board.count("stages");
  }

  /** Writes the pending records of `slot` to the device and marks them clean. */
  destage(board: MemoryBoard, slot: number): void {
    const { cache } = board;
    const device = this.#geometry.devices[cache.deviceOf(slot)];
    assert(device !== undefined, "a slot belongs to a device of the array");
    const offsetBytes = this.#offsetOf(board, slot, device);
    const pending = cache.pending(slot);
    forEachRun(pending, (first, count) => {
      const from = first * RECORD_BYTES;
      const data = this.#scratch.subarray(from, from + count * RECORD_BYTES);
      board.words.memory.read(cache.dataOffset(slot) + from, data);
    });
    this.#faults.look();
    this.#faults.write({ operation: "destage", device, offsetBytes, bytes: TRACK_BYTES }, {
      image: this.#scratch,
      records: recordList(pending),
      fetch: (into) => this.#adapter.read(device, offsetBytes, into),
      store: (image) =>
        forEachRun(pending, (first, count) => {
          const from = first * RECORD_BYTES;
          const data = image.subarray(from, from + count * RECORD_BYTES);
          this.#adapter.write(device, offsetBytes + from, data);
        }),
    });
    cache.clean(slot);
    board.count("destages");
  }

  /**
   * Destages a few tracks of a board that is locked, upwards from `from` as an elevator goes.
   * @param all every pending track, not only those that are due
   */
  destageSome(board: MemoryBoard, from: number, options: { readonly all: boolean }): DestageStep {
    const { cache } = board;
    let track = from;
    let tracks = 0;
    for (let looked = 0; looked < SCAN_PER_HOLD && tracks < TRACKS_PER_HOLD; looked++) {
      const pending = cache.index.nextPending(track);
      if (pending < 0) return { tracks, next: -1 };
      const slot = cache.index.slotOf(pending);
      assert(slot >= 0, "a write-pending track has a slot");
      const crowded = isCrowded(board.words.state(STATE.writePending), board.layout.slots);
      if (options.all || isDue(cache.pendingAge(slot), crowded)) {
        this.destage(board, slot);
        tracks++;
      }
      track = pending + 1;
    }
    return { tracks, next: track };
  }

  /**
   * Destages everything and makes it durable, taking each board's lock in turn.
   * @returns count of tracks written
   */
  destageAll(boards: readonly MemoryBoard[]): number {
    let tracks = 0;
    for (const board of boards) {
      for (let next = 0; next >= 0;) {
        board.lock();
        let sound = false;
        try {
          const step = this.destageSome(board, next, { all: true });
          tracks += step.tracks;
          next = step.next;
          sound = true;
        } finally {
          board.unlock(sound);
        }
      }
    }
    for (const device of this.#geometry.devices) this.#adapter.sync(device);
    return tracks;
  }

  /** Fails when `records` of a track about to be staged were lost. @throws AgentError `volume` */
  refuseDamaged(
    board: MemoryBoard,
    device: DeviceGeometry,
    wanted: { readonly track: number; readonly records: number },
  ): void {
    if ((board.cache.index.damaged(wanted.track) & wanted.records) === 0) return;
    const place = { board: board.layout.board, track: wanted.track };
    throw new AgentError(
      "volume",
      `Cannot read volume "${device.name}" at ` +
        `${trackOffset(this.#geometry, device, place)}: records were lost, need them rewritten`,
      { hint: "Run agent array check." },
    );
  }

  #offsetOf(board: MemoryBoard, slot: number, device: DeviceGeometry): number {
    const place = { board: board.layout.board, track: board.cache.trackOf(slot) };
    const offsetBytes = trackOffset(this.#geometry, device, place);
    const inside = offsetBytes >= 0 && offsetBytes + TRACK_BYTES <= device.sizeBytes;
    if (!inside) {
      throw new AgentError(
        "damaged",
        `Cannot use memory board "${board.path}": slot ${slot} names track ${place.track} of ` +
          `"${device.name}", need a track inside the device`,
        { hint: "Run agent array check." },
      );
    }
    return offsetBytes;
  }
}
