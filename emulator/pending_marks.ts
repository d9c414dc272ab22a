// The durable marks of one board in `pending.map`: which records are not on their device.
//
// After a power failure the boards are empty, and these marks are all that tells which records were
// lost. They are written by positional I/O and not through a mapping, so that a full file system is
// an error and not a SIGBUS.
//
// Invariants (outside of a hold of the board's lock):
//  1. A track's mark is its write-pending records and its damaged ones, exactly.
//  2. Within a hold marks are set before records become pending and cleared after they are clean:
//     whoever dies in between leaves a mark too many, never one too few, and the repair that
//     follows (board_repair.ts) takes it away.
//  3. A record that is write pending already is marked already: rewriting it costs nothing here.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { PENDING_SCAN_BYTES, TRACKS_PER_CYLINDER } from "./limits.ts";
import {
  checkPendingHeader,
  encodePendingHeader,
  PENDING_ENTRY_BYTES,
  PENDING_HEADER_BYTES,
  pendingMapBytes,
  refuse,
} from "./pending_header.ts";

/** What a cache needs of the marks; `track` is the number on the board. */
export interface TrackMarks {
  set(track: number, records: number): void;
  /** Calls `visit` for every track with a mark. */
  forEach(visit: (track: number, records: number) => void): void;
}

/** Makes an empty map, replacing what is there. @throws SystemError */
export function makePendingMap(files: Files, path: string, geometry: ArrayGeometry): void {
  const temporary = `${path}.new`;
  const flags = { access: "write", create: true, truncate: true, mode: 0o600 } as const;
  const descriptor = files.open(AT_CWD, temporary, flags);
  try {
    files.truncate(descriptor, pendingMapBytes(geometry));
    files.writeAllAt(descriptor, 0, encodePendingHeader(geometry.uuid));
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.rename(AT_CWD, temporary, AT_CWD, path);
}

/** Opens the map of an array and checks it. @throws AgentError `damaged` | … | SystemError */
export function openPendingMap(files: Files, path: string, geometry: ArrayGeometry): number {
  const descriptor = openFile(files, path);
  try {
    const header = new Uint8Array(PENDING_HEADER_BYTES);
    const count = files.readAt(descriptor, 0, header);
    checkPendingHeader(header.subarray(0, count), geometry.uuid, path);
    const found = files.statDescriptor(descriptor).sizeBytes;
    const wanted = pendingMapBytes(geometry);
    if (found !== wanted) throw refuse("damaged", path, `${found} bytes`, `${wanted}`);
    return descriptor;
  } catch (error) {
    files.close(descriptor);
    throw error;
  }
}

export class PendingMarks implements TrackMarks {
  readonly #files: Files;
  readonly #path: string;
  readonly #boards: number;
  readonly #board: number;
  readonly #descriptor: number;
  readonly #entry = new Uint8Array(PENDING_ENTRY_BYTES);

  /** @throws AgentError `damaged` | `mismatch` | `unsupported` | `failed` */
  constructor(files: Files, path: string, geometry: ArrayGeometry, board: number) {
    this.#files = files;
    this.#path = path;
    this.#boards = geometry.boards;
    this.#board = board;
    this.#descriptor = openPendingMap(files, path, geometry);
  }

  /** @throws AgentError `no_space` | `volume`; nothing was marked then */
  set(track: number, records: number): void {
    this.#entry[0] = records & 0xff;
    this.#entry[1] = records >>> 8;
    const at = PENDING_HEADER_BYTES + this.#number(track) * PENDING_ENTRY_BYTES;
    try {
      this.#files.writeAllAt(this.#descriptor, at, this.#entry);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const full = error.errno === "ENOSPC" || error.errno === "EDQUOT";
      throw new AgentError(
        full ? "no_space" : "volume",
        `Cannot note pending records in "${this.#path}": ${error.errno}, need to write there`,
        { hint: full ? "Free space where the array directory is." : undefined, cause: error },
      );
    }
  }

  forEach(visit: (track: number, records: number) => void): void {
    const descriptor = this.#descriptor;
    for (let at = PENDING_HEADER_BYTES;;) {
      const data = this.#files.seek(descriptor, at, "data");
      if (data === null) return;
      const end = this.#files.seek(descriptor, data, "hole") ?? data;
      const start = Math.max(data - data % PENDING_ENTRY_BYTES, PENDING_HEADER_BYTES);
      this.#scan(start, end, visit);
      at = Math.max(end, PENDING_HEADER_BYTES);
      if (end <= data) return;
    }
  }

  close(): void {
    this.#files.close(this.#descriptor);
  }

  #scan(from: number, end: number, visit: (track: number, records: number) => void): void {
    for (let at = from; at < end; at += PENDING_SCAN_BYTES) {
      const bytes = new Uint8Array(Math.min(PENDING_SCAN_BYTES, end - at));
      const count = this.#files.readAt(this.#descriptor, at, bytes);
      const first = (at - PENDING_HEADER_BYTES) / PENDING_ENTRY_BYTES;
      for (let within = 0; within + 1 < count; within += PENDING_ENTRY_BYTES) {
        const records = (bytes[within] ?? 0) | ((bytes[within + 1] ?? 0) << 8);
        if (records !== 0) this.#visit(first + within / PENDING_ENTRY_BYTES, records, visit);
      }
    }
  }

  /** Tracks of other boards are left to them. */
  #visit(number: number, records: number, visit: (track: number, records: number) => void): void {
    const cylinder = Math.floor(number / TRACKS_PER_CYLINDER);
    if (cylinder % this.#boards !== this.#board) return;
    const place = Math.floor(cylinder / this.#boards);
    visit(place * TRACKS_PER_CYLINDER + number % TRACKS_PER_CYLINDER, records);
  }

  /** The track's number in the array, from its number on the board. */
  #number(track: number): number {
    const cylinder = Math.floor(track / TRACKS_PER_CYLINDER) * this.#boards + this.#board;
    return cylinder * TRACKS_PER_CYLINDER + track % TRACKS_PER_CYLINDER;
  }
}

function openFile(files: Files, path: string): number {
  try {
    return files.open(AT_CWD, path, { access: "read-write" });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new AgentError(
      error.errno === "ENOENT" ? "damaged" : "failed",
      `Cannot open pending map "${path}": ${error.errno}, need to read and write it`,
      {
        hint: error.errno === "ENOENT"
          ? "Run agent array repair: it makes the map anew from the memory boards."
          : "Run all agents of one array as the same user.",
        cause: error,
      },
    );
  }
}
