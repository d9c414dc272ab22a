// The channel director (Fig. 2, 32): serves the I/O requests of one attached host.
//
// Read: a hit is copied without the lock and validated (cache.ts); a miss takes the board's lock
// and has what the request misses of the cylinder staged, by one read of the device, and for a
// sequential reader what comes next too (prefetch_policy.ts). Write: into the cache under the
// board's lock, one hold per cylinder that the request touches, marked write pending; that is the
// fast write, and the request is complete. A write that finds only pending slots waits for a
// destage: the delayed write. Records are whole, so a partial write of a track needs no staging.

import type { DiskDirector } from "./disk_director.ts";
import type { FaultInjector } from "./fault_injector.ts";
import type { DeviceGeometry } from "./geometry.ts";
import { CYLINDER_BYTES, PREFETCH_SHARE, TRACK_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { SequentialStreams } from "./prefetch_policy.ts";
import { recordsOf } from "./record_runs.ts";
import type { HostStatistics } from "./statistics.ts";

export class ChannelDirector {
  readonly #boards: readonly MemoryBoard[];
  readonly #director: DiskDirector;
  readonly #faults: FaultInjector;
  readonly #statistics: HostStatistics;
  readonly #onRequest: () => void;
  readonly #streams = new SequentialStreams();

  /** @param options `onRequest` is called after each request, for who publishes the figures */
  constructor(
    boards: readonly MemoryBoard[],
    director: DiskDirector,
    options: {
      readonly statistics: HostStatistics;
      readonly faults: FaultInjector;
      readonly onRequest: () => void;
    },
  ) {
    this.#boards = boards;
    this.#director = director;
    this.#faults = options.faults;
    this.#statistics = options.statistics;
    this.#onRequest = options.onRequest;
  }

  /** False when faults are injected, or were: what was written may be lost or damaged. */
  retains(): boolean {
    return this.#faults.retains();
  }

  /** Fills `into`; range and alignment are checked by the adapter. @throws AgentError */
  read(device: DeviceGeometry, offsetBytes: number, into: Uint8Array): void {
    this.#faults.look();
    if (this.#faults.faulty) {
      const access = { operation: "read", device, offsetBytes, bytes: into.length } as const;
      this.#faults.read(access, into, () => this.#readTracks(device, offsetBytes, into));
    } else this.#readTracks(device, offsetBytes, into);
    this.#statistics.count(device.index, "reads", 1);
    this.#statistics.count(device.index, "readBytes", into.length);
    this.#onRequest();
  }

  /** Writes `from`; complete means visible to every host. @throws AgentError */
  write(device: DeviceGeometry, offsetBytes: number, from: Uint8Array): void {
    const faults = this.#faults;
    if (faults.faulty) {
      faults.look();
      faults.write({ operation: "write", device, offsetBytes, bytes: from.length }, {
        image: from,
        fetch: (into) => this.#readTracks(device, offsetBytes, into),
        store: (image) => this.#writeCylinders(device, offsetBytes, image),
      });
    } else {
      this.#writeCylinders(device, offsetBytes, from);
      // Not before: the caller may just have been told that the volume retains what it takes.
      faults.look();
    }
    this.#statistics.count(device.index, "writes", 1);
    this.#statistics.count(device.index, "writtenBytes", from.length);
    this.#onRequest();
  }

  #readTracks(device: DeviceGeometry, offsetBytes: number, into: Uint8Array): void {
    const bytes = into.length;
    for (let done = 0; done < bytes;) {
      const at = offsetBytes + done;
      const within = at % TRACK_BYTES;
      const count = Math.min(TRACK_BYTES - within, bytes - done);
      const piece = count === bytes ? into : into.subarray(done, done + count);
      if (this.#readHit(device, at, piece)) done += count;
      else done += this.#readMiss(device, at, into.subarray(done));
    }
  }

  #writeCylinders(device: DeviceGeometry, offsetBytes: number, from: Uint8Array): void {
    const bytes = from.length;
    for (let done = 0; done < bytes;) {
      const at = offsetBytes + done;
      const count = Math.min(CYLINDER_BYTES - at % CYLINDER_BYTES, bytes - done);
      const piece = count === bytes ? from : from.subarray(done, done + count);
      this.#writeCylinder(device, at, piece);
      done += count;
    }
  }

  #readHit(device: DeviceGeometry, at: number, into: Uint8Array): boolean {
    const board = this.#boardOf(device, at);
    const within = at % TRACK_BYTES;
    const records = recordsOf(within, into.length);
    const found = board.cache.tryRead(this.#trackOf(device, at), records, within, into);
    if (found === "miss") return false;
    board.noteHit(device.index, found === "ahead");
    return true;
  }

  /** Reads at least one track of what is left of a request. @returns count of bytes read */
  #readMiss(device: DeviceGeometry, at: number, rest: Uint8Array): number {
    const board = this.#boardOf(device, at);
    board.lock();
    let sound = true; // A refusal changes nothing.
    try {
      const first = rest.subarray(0, TRACK_BYTES - at % TRACK_BYTES);
      const records = recordsOf(at % TRACK_BYTES, first.length);
      this.#director.refuseDamaged(board, device, { track: this.#trackOf(device, at), records });
      sound = false;
      const count = this.#readUnderLock(board, device, { at, rest });
      sound = true;
      return count;
    } finally {
      board.unlock(sound);
    }
  }

  #readUnderLock(board: MemoryBoard, device: DeviceGeometry, left: Left): number {
    const { cache } = board;
    const track = this.#trackOf(device, left.at);
    const within = left.at % TRACK_BYTES;
    const into = left.rest.subarray(0, TRACK_BYTES - within);
    const records = recordsOf(within, into.length);
    const slot = cache.index.slotOf(track);
    const hit = slot >= 0 && (cache.inCache(slot) & records) === records;
    if (!hit && slot < 0) return this.#readRun(board, device, left);
    board.count("reads");
    board.countFor(device.index, hit ? "hits" : "misses");
    if (!hit) this.#director.stage(board, slot, device);
    if (cache.takeAhead(slot)) board.countFor(device.index, "prefetchesUsed");
    cache.read(slot, within, into);
    return into.length;
  }

  /** Has consecutive tracks without slots staged: those of the request, and some ahead of it. */
  #readRun(board: MemoryBoard, device: DeviceGeometry, left: Left): number {
    const { at, rest } = left;
    const track = this.#trackOf(device, at);
    const within = at % TRACK_BYTES;
    const limit = Math.ceil((within + rest.length) / TRACK_BYTES);
    const toEnd = TRACKS_PER_CYLINDER - track % TRACKS_PER_CYLINDER;
    const absent = absentTracks(board, track, toEnd);
    const asked = Math.min(absent, limit);
    const room = Math.min(absent - asked, Math.floor(board.layout.slots * PREFETCH_SHARE));
    const first = Math.floor(at / TRACK_BYTES);
    const miss = { device: device.index, track: first, tracks: asked };
    const ahead = this.#streams.onMiss(miss, room);
    let done = 0;
    const onTrack = (slot: number) => {
      const from = (at + done) % TRACK_BYTES;
      const count = Math.min(TRACK_BYTES - from, rest.length - done);
      board.count("reads");
      board.countFor(device.index, "misses");
      board.cache.read(slot, from, rest.subarray(done, done + count));
      done += count;
    };
    this.#director.stageRun(board, device, { track, asked, ahead, onTrack });
    return done;
  }

  #writeCylinder(device: DeviceGeometry, at: number, from: Uint8Array): void {
    const board = this.#boardOf(device, at);
    board.lock();
    let sound = false;
    try {
      for (let done = 0; done < from.length;) {
        const within = (at + done) % TRACK_BYTES;
        const count = Math.min(TRACK_BYTES - within, from.length - done);
        const piece = count === from.length ? from : from.subarray(done, done + count);
        this.#writeTrack(board, device, { track: this.#trackOf(device, at + done), within, piece });
        done += count;
      }
      sound = true;
    } finally {
      board.unlock(sound);
    }
  }

  #writeTrack(
    board: MemoryBoard,
    device: DeviceGeometry,
    part: { readonly track: number; readonly within: number; readonly piece: Uint8Array },
  ): void {
    const { index } = board.cache;
    let slot = index.slotOf(part.track);
    if (slot < 0) {
      const claim = this.#director.claim(board, part.track, device);
      slot = claim.slot;
      if (claim.delayed) board.countFor(device.index, "delayedWrites");
    } else if (board.cache.takeAhead(slot)) {
      board.countFor(device.index, "prefetchesUsed");
    }
    const records = recordsOf(part.within, part.piece.length);
    board.cache.write(slot, records, part.within, part.piece);
    board.count("writes");
  }

  #boardOf(device: DeviceGeometry, at: number): MemoryBoard {
    const cylinder = device.firstCylinder + Math.floor(at / CYLINDER_BYTES);
    const board = this.#boards[cylinder % this.#boards.length];
    if (board === undefined) throw new RangeError("the array has no boards");
    return board;
  }

  #trackOf(device: DeviceGeometry, at: number): number {
    const cylinder = device.firstCylinder + Math.floor(at / CYLINDER_BYTES);
    const place = Math.floor(cylinder / this.#boards.length);
    return place * TRACKS_PER_CYLINDER + Math.floor(at % CYLINDER_BYTES / TRACK_BYTES);
  }
}

/** What is left of a request: where on the device, and where it goes. */
interface Left {
  readonly at: number;
  readonly rest: Uint8Array;
}

/** Count of tracks from `track` on, at least 1 and at most `most`, without slot and damage. */
function absentTracks(board: MemoryBoard, track: number, most: number): number {
  const { index } = board.cache;
  let count = 1;
  while (
    count < most && index.slotOf(track + count) < 0 && index.damaged(track + count) === 0
  ) count++;
  return count;
}
