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
import {
  CYLINDER_BYTES,
  PREFETCH_KEEP_HOLDS,
  RECORD_BYTES,
  SCAN_PER_HOLD,
  TRACK_BYTES,
  TRACKS_PER_HOLD,
} from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { forEachRun, recordList } from "./record_runs.ts";

/** Where a pass over a board's write-pending tracks stands. */
export interface DestageStep {
  /** Tracks written. */
  readonly tracks: number;
  /** Track to go on from; -1 when the pass is through. */
  readonly next: number;
}

/** A slot for a track, and whether it was only free after another track was destaged. */
export interface Claim {
  readonly slot: number;
  readonly delayed: boolean;
}

/** Consecutive tracks of one cylinder, none of which has a slot. */
export interface StageRun {
  readonly track: number;
  /** Count of tracks that the request asks for, and of those ahead of it. */
  readonly asked: number;
  readonly ahead: number;
  /** Told of each track that was asked for, in order. */
  readonly onTrack: (slot: number) => void;
}

export class DiskDirector {
  readonly #geometry: ArrayGeometry;
  readonly #adapter: DiskAdapter;
  readonly #faults: FaultInjector;
  readonly #scratch = new Uint8Array(TRACK_BYTES);
  readonly #run = new Uint8Array(CYLINDER_BYTES);

  constructor(geometry: ArrayGeometry, adapter: DiskAdapter, faults: FaultInjector) {
    this.#geometry = geometry;
    this.#adapter = adapter;
    this.#faults = faults;
  }

  /**
   * A slot for `track`, which has none: a free one, else the one that is given up for it.
   * @returns the slot, and whether another track had to be destaged for it
   * @throws AgentError `volume` | `no_space` when a write-pending slot cannot be destaged
   */
  claim(board: MemoryBoard, track: number, device: DeviceGeometry): Claim {
    const { cache } = board;
    const head = board.words.state(STATE.freeHead);
    if (head > board.layout.slots) throw board.damage(`free slot ${head - 1}`, "one that exists");
    const listed = cache.index.isInCache(track);
    if (listed) throw board.damage(`no slot for cached track ${track}`, "one");
    const free = cache.assign(track, device.index);
    if (free >= 0) return { slot: free, delayed: false };
    const victim = cache.victim();
    if (victim < 0) throw board.damage("no slot that is free or in use", "one of them");
    const delayed = cache.pending(victim) !== 0;
    if (delayed) this.destage(board, victim);
    this.#giveUp(board, victim);
    const slot = cache.assign(track, device.index);
    assert(slot >= 0, "a slot that was given up is free");
    return { slot, delayed };
  }

  /**
   * Reads the records of `slot`'s track that are neither in cache nor lost from the device.
   * @throws AgentError `volume`; the slot is then still short of records
   */
  stage(board: MemoryBoard, slot: number, device: DeviceGeometry): void {
    const { cache } = board;
    const track = cache.trackOf(slot);
    const missing = ALL_RECORDS & ~cache.inCache(slot) & ~cache.index.damaged(track);
    if (missing === 0) return;
    const offsetBytes = this.#offsetOf(board, track, device);
    this.#fetch(device, offsetBytes, this.#scratch, recordList(missing));
    this.#fill(board, slot, { records: missing, data: this.#scratch });
    board.countFor(device.index, "stages");
  }

  /**
   * Stages consecutive tracks without slots by one read of the device: those that a request asks
   * for, then those ahead of it. Each that is asked for is handed over at once, since the next one
   * may take its slot. What is ahead takes no slot that is pending or was used of late.
   * Of a run that the device cannot read whole only the first track is staged.
   * @throws AgentError `volume` when not even the first can be read
   */
  stageRun(board: MemoryBoard, device: DeviceGeometry, run: StageRun): void {
    const { asked, data } = this.#readRun(board, device, run);
    const count = data.length / TRACK_BYTES;
    for (let at = 0; at < count; at++) {
      const track = run.track + at;
      const slot = at < asked
        ? this.claim(board, track, device).slot
        : this.#claimSpare(board, track, device);
      if (slot < 0) break;
      const records = ALL_RECORDS & ~board.cache.index.damaged(track);
      const from = at * TRACK_BYTES;
      this.#fill(board, slot, { records, data: data.subarray(from, from + TRACK_BYTES) });
      board.countFor(device.index, "stages");
      if (at < asked) {
        run.onTrack(slot);
      } else {
        board.cache.markAhead(slot);
        board.countFor(device.index, "prefetches");
      }
    }
  }

  /** Writes the pending records of `slot` to the device and marks them clean. */
  destage(board: MemoryBoard, slot: number): void {
    const { cache } = board;
    const device = this.#geometry.devices[cache.deviceOf(slot)];
    // A header that was damaged must not lead to another place on the devices.
    if (device === undefined || !cache.isSealed(slot)) {
      throw board.damage(`a damaged header of slot ${slot}`, "the header as it was");
    }
    const offsetBytes = this.#offsetOf(board, cache.trackOf(slot), device);
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
    board.countFor(device.index, "destages");
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
      if (slot < 0) throw board.damage(`no slot for pending track ${pending}`, "one");
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
    const lost = board.cache.index.damaged(wanted.track) & wanted.records;
    if (lost === 0) return;
    const place = { board: board.layout.board, track: wanted.track };
    const first = (31 - Math.clz32(lost & -lost)) * RECORD_BYTES;
    throw new AgentError(
      "volume",
      `Cannot read volume "${device.name}" at ` +
        `${
          trackOffset(this.#geometry, device, place) + first
        }: lost with the power of the cache, ` +
        "need it rewritten",
      {
        hint: "Run agent array check for all lost records, " +
          "or agent array repair --accept-loss to take their old content.",
      },
    );
  }

  /** What one read of the device brings; only the first track when it cannot read them all. */
  #readRun(
    board: MemoryBoard,
    device: DeviceGeometry,
    run: StageRun,
  ): { readonly asked: number; readonly data: Uint8Array } {
    const offsetBytes = this.#offsetOf(board, run.track, device);
    const data = this.#run.subarray(0, (run.asked + run.ahead) * TRACK_BYTES);
    try {
      this.#fetch(device, offsetBytes, data);
      return { asked: run.asked, data };
    } catch (error) {
      // A bad place further on must not fail the first track.
      if (!(error instanceof AgentError) || data.length === TRACK_BYTES) throw error;
    }
    const first = data.subarray(0, TRACK_BYTES);
    this.#fetch(device, offsetBytes, first);
    return { asked: 1, data: first };
  }

  /** Reads from the device, with what faults there are. @param records those that matter; all */
  #fetch(
    device: DeviceGeometry,
    offsetBytes: number,
    into: Uint8Array,
    records?: readonly number[],
  ): void {
    const access = { operation: "stage", device, offsetBytes, bytes: into.length } as const;
    this.#faults.read(access, into, () => this.#adapter.read(device, offsetBytes, into), records);
  }

  #fill(
    board: MemoryBoard,
    slot: number,
    staged: { readonly records: number; readonly data: Uint8Array },
  ): void {
    forEachRun(staged.records, (first, count) => {
      const from = first * RECORD_BYTES;
      const data = staged.data.subarray(from, from + count * RECORD_BYTES);
      board.cache.fill(slot, ((1 << count) - 1) << first, from, data);
    });
  }

  /** A slot that nobody misses, or -1. */
  #claimSpare(board: MemoryBoard, track: number, device: DeviceGeometry): number {
    const { cache } = board;
    const free = cache.assign(track, device.index);
    if (free >= 0) return free;
    const victim = cache.victim();
    const spare = victim >= 0 && cache.pending(victim) === 0 &&
      cache.idleHolds(victim) >= PREFETCH_KEEP_HOLDS;
    if (!spare) return -1;
    this.#giveUp(board, victim);
    return cache.assign(track, device.index);
  }

  #giveUp(board: MemoryBoard, slot: number): void {
    const { cache } = board;
    const device = cache.deviceOf(slot);
    if (cache.takeAhead(slot)) board.countFor(device, "prefetchesWasted");
    board.countFor(device, "evictions");
    cache.release(slot);
  }

  #offsetOf(board: MemoryBoard, track: number, device: DeviceGeometry): number {
    const place = { board: board.layout.board, track };
    const offsetBytes = trackOffset(this.#geometry, device, place);
    const inside = offsetBytes >= 0 && offsetBytes + TRACK_BYTES <= device.sizeBytes;
    if (!inside) {
      throw board.damage(
        `a slot names track ${track} of "${device.name}"`,
        "a track inside the device",
      );
    }
    return offsetBytes;
  }
}
