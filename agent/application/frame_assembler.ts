// Collects tar bytes and index rows into frames.
//
// Invariants: the memory of a frame is used again once it was released; a frame is never longer
// than `frameBytes`; a row belongs to the frame that holds the first byte of its member; sequence
// numbers have no gap.

import { assert } from "../../transport/ground/assert.ts";
import type { Entry, IndexNote, IndexRow } from "../entry.ts";
import { encodeIndexRows } from "../media/index_rows.ts";
import type { TarFrame } from "../record.ts";
import {
  DEFAULT_FRAME_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAME_NOTE_BYTES,
  MAX_FRAME_NOTES,
  MIN_FRAME_BYTES,
} from "./limits.ts";

export interface FrameOptions {
  /** Tar bytes of a full frame; at most 4 MiB, and 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  /** Tar bytes that are there before the first frame; none when left out. */
  readonly tarOffset?: number | undefined;
}

export class FrameAssembler {
  #buffer: Uint8Array;
  readonly #released: Uint8Array[] = [];
  #fill = 0;
  #frameOffset = 0;
  #sequence = 0;
  #rows: IndexRow[] = [];
  #notes: IndexNote[] = [];
  #noteBytes = 0;
  #contentBytes = 0;
  #totalFiles = 0;
  #totalBytes = 0;

  constructor(options: FrameOptions) {
    const frameBytes = options.frameBytes ?? DEFAULT_FRAME_BYTES;
    assert(frameBytes >= MIN_FRAME_BYTES && frameBytes <= MAX_FRAME_BYTES, "frame size in limits");
    this.#buffer = new Uint8Array(frameBytes);
    this.#frameOffset = options.tarOffset ?? 0;
  }

  get frameBytes(): number {
    return this.#buffer.length;
  }

  /** Free bytes of the present frame. */
  get room(): number {
    return this.#buffer.length - this.#fill;
  }

  get isEmpty(): boolean {
    return this.#fill === 0;
  }

  /** Rows and content bytes so far, of all frames. */
  get totals(): { readonly files: number; readonly bytes: number } {
    return { files: this.#totalFiles, bytes: this.#totalBytes };
  }

  /** The free part of the frame, to be filled in place and then taken by `advance`. */
  get window(): Uint8Array {
    return this.#buffer.subarray(this.#fill);
  }

  /** Names the member whose first byte comes next. */
  addRow(entry: Entry, tarBytes: number): void {
    assert(this.room > 0, "a row belongs to the frame of its first byte");
    this.#rows.push({ entry, tarOffset: this.#frameOffset + this.#fill, tarBytes });
    this.#totalFiles++;
  }

  /** True when the next note belongs into another frame. */
  get notesAreFull(): boolean {
    return this.#notes.length >= MAX_FRAME_NOTES || this.#noteBytes >= MAX_FRAME_NOTE_BYTES;
  }

  /** Notes something about a path. */
  addNote(note: IndexNote): void {
    assert(!this.notesAreFull, "a frame with too many notes is cut");
    this.#notes.push(note);
    this.#noteBytes += note.path.length;
  }

  /** Takes a member out of the totals: another one takes its place, or none. */
  discount(contentBytes: number): void {
    this.#totalFiles--;
    this.#totalBytes -= contentBytes;
  }

  /** Takes `count` bytes of the window, of which `contentBytes` are source content. */
  advance(count: number, contentBytes: number): void {
    assert(count <= this.room, "what is written fits the frame");
    this.#fill += count;
    this.#contentBytes += contentBytes;
    this.#totalBytes += contentBytes;
  }

  /** Copies `bytes`, all of which must fit. */
  append(bytes: Uint8Array): void {
    assert(bytes.length <= this.room, "what is appended fits the frame");
    this.#buffer.set(bytes, this.#fill);
    this.advance(bytes.length, 0);
  }

  /**
   * Gives the memory of the present frame, which is empty, for memory of the same size, whose bytes
   * become its window: what was written there need not be copied.
   */
  exchange(buffer: Uint8Array): Uint8Array {
    assert(this.isEmpty && buffer.length === this.frameBytes, "an empty frame is exchanged");
    const own = this.#buffer;
    this.#buffer = buffer;
    return own;
  }

  /** Ends the frame. */
  cut(): TarFrame {
    assert(!this.isEmpty, "an empty frame is not cut");
    const buffer = this.#buffer;
    const frame: TarFrame = {
      sequence: this.#sequence++,
      tar: buffer.subarray(0, this.#fill),
      release: () => void this.#released.push(buffer),
      rows: encodeIndexRows(this.#rows, this.#notes),
      rowCount: this.#rows.length,
      contentBytes: this.#contentBytes,
    };
    this.#buffer = this.#released.pop() ?? new Uint8Array(buffer.length);
    this.#frameOffset += this.#fill;
    this.#fill = 0;
    this.#rows = [];
    this.#notes = [];
    this.#noteBytes = 0;
    this.#contentBytes = 0;
    return frame;
  }
}
