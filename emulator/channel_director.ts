// The channel director (Fig. 2, 32): serves the I/O requests of one attached host.
//
// Read: a hit is copied without the lock and validated (cache.ts); a miss takes the board's lock
// and has the track staged. Write: into the cache under the board's lock, one hold per cylinder
// that the request touches, marked write pending; that is the fast write, and the request is
// complete. Records are whole, so a partial write of a track needs no staging.

import type { DiskDirector } from "./disk_director.ts";
import type { FaultInjector } from "./fault_injector.ts";
import type { DeviceGeometry } from "./geometry.ts";
import { CYLINDER_BYTES, TRACK_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";
import { recordsOf } from "./record_runs.ts";

/** What one attached host did so far; hits and misses count tracks. */
export interface HostCounters {
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly hits: number;
  readonly misses: number;
}

export class ChannelDirector {
  readonly #boards: readonly MemoryBoard[];
  readonly #director: DiskDirector;
  readonly #faults: FaultInjector;
  readonly #counters = {
    reads: 0,
    writes: 0,
    readBytes: 0,
    writtenBytes: 0,
    hits: 0,
    misses: 0,
  };

  constructor(
    boards: readonly MemoryBoard[],
    director: DiskDirector,
    faults: FaultInjector,
  ) {
    this.#boards = boards;
    this.#director = director;
    this.#faults = faults;
  }

  counters(): HostCounters {
    return { ...this.#counters };
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
    this.#counters.reads++;
    this.#counters.readBytes += into.length;
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
    this.#counters.writes++;
    this.#counters.writtenBytes += from.length;
  }

  #readTracks(device: DeviceGeometry, offsetBytes: number, into: Uint8Array): void {
    const bytes = into.length;
    for (let done = 0; done < bytes;) {
      const at = offsetBytes + done;
      const within = at % TRACK_BYTES;
      const count = Math.min(TRACK_BYTES - within, bytes - done);
      const piece = count === bytes ? into : into.subarray(done, done + count);
      this.#readTrack(device, at, piece);
      done += count;
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

  #readTrack(device: DeviceGeometry, at: number, into: Uint8Array): void {
    const board = this.#boardOf(device, at);
    const track = this.#trackOf(device, at);
    const within = at % TRACK_BYTES;
    const records = recordsOf(within, into.length);
    if (board.cache.tryRead(track, records, within, into)) {
      board.noteHit();
      this.#counters.hits++;
      return;
    }
    board.lock();
    let sound = false;
    try {
      this.#readUnderLock(board, device, track, { records, within, into });
      sound = true;
    } finally {
      board.unlock(sound);
    }
  }

  #readUnderLock(
    board: MemoryBoard,
    device: DeviceGeometry,
    track: number,
    range: { readonly records: number; readonly within: number; readonly into: Uint8Array },
  ): void {
    const { cache } = board;
    board.count("reads");
    let slot = cache.index.slotOf(track);
    if (slot >= 0 && (cache.inCache(slot) & range.records) === range.records) {
      board.count("hits");
      this.#counters.hits++;
    } else {
      board.count("misses");
      this.#counters.misses++;
      this.#director.refuseDamaged(board, device, { track, records: range.records });
      if (slot < 0) slot = this.#director.claim(board, track, device);
      this.#director.stage(board, slot, device);
    }
    cache.read(slot, range.within, range.into);
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
    if (slot < 0) slot = this.#director.claim(board, part.track, device);
    const records = recordsOf(part.within, part.piece.length);
    board.cache.write(slot, records, part.within, part.piece);
    const damaged = index.damaged(part.track);
    if (damaged !== 0) index.setDamaged(part.track, device.index, damaged & ~records);
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
