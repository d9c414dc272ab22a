// Reads a finished media file: seek table first, then label, trailer, index rows and frames by
// position. Synchronous: it belongs on a job's worker thread.
//
// Invariants: sizes and offsets come from the seek table, whose sum is the file's size, so that
// nothing is read outside the file and no buffer is larger than the limits. Who only wants frames
// can do without label and trailer, when these are damaged.

import { assert } from "../../transport/ground/assert.ts";
import { takeBytes } from "../../transport/ground/byte_pool.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import type { IndexPage, IndexRow } from "../entry.ts";
import { decodeGroupIndex } from "./group_index.ts";
import type { GroupIndex } from "./group_index.ts";
import { readFrameRows } from "./frame_rows.ts";
import { decodeLabel } from "./label.ts";
import type { MediaLabel } from "./label.ts";
import {
  MAX_FRAME_BYTES,
  MAX_FRAME_TAR_BYTES,
  MAX_GROUP_INDEX_BYTES,
  MAX_LABEL_BYTES,
  MAX_TRAILER_BYTES,
} from "./limits.ts";
import { checkSealedHead, isSealed, SEALED_HEAD_BYTES } from "./sealed_frame.ts";
import { decodeSeekTable, SEEK_FOOTER_BYTES, seekTableBytes } from "./seek_table.ts";
import type { SeekEntry } from "./seek_table.ts";
import { damagedFrame, SKIPPABLE_HEADER_BYTES } from "./skippable_frame.ts";
import { decodeTrailer } from "./trailer.ts";
import type { MediaTrailer } from "./trailer.ts";
import { isUnreadable } from "./unreadable.ts";
import { readZstdHeader, ZSTD_HEADER_MAX_BYTES } from "./zstd_frame.ts";

/** Where a data frame stands in the file and in the tar stream. */
export interface FramePlace {
  readonly mediaOffset: number;
  readonly compressedBytes: number;
  readonly tarOffset: number;
  readonly tarBytes: number;
}

interface IndexPlace {
  readonly mediaOffset: number;
  readonly bytes: number;
  /** Data frames that stand before it. */
  readonly framesBefore: number;
}

/** Checksums of the frames of the group that was asked for last. */
interface GroupChecksums {
  readonly group: number;
  readonly first: number;
  readonly checksums: readonly (number | null)[];
}

export class MediaReader {
  readonly #files: Files;
  readonly #descriptor: number;
  readonly #frames: FramePlace[] = [];
  readonly #indexes: IndexPlace[] = [];
  #group: GroupChecksums | null = null;
  #closed = false;
  readonly #label: MediaLabel | null;
  readonly #trailer: MediaTrailer | null;
  readonly sizeBytes: number;
  readonly tarBytes: number;

  /**
   * Opens a media file and reads what is around its frames.
   * @param framesOnly also when its label or its trailer cannot be read, which are not used then
   * @throws AgentError `damaged`
   * @throws SystemError
   */
  constructor(files: Files, path: string, { framesOnly = false } = {}) {
    this.#files = files;
    this.#descriptor = files.open(AT_CWD, path, { access: "read" });
    try {
      this.sizeBytes = files.statDescriptor(this.#descriptor).sizeBytes;
      const entries = this.#readSeekTable();
      this.tarBytes = this.#place(entries);
      const attempt = framesOnly ? nullIfUnreadable : always;
      this.#label = attempt(() => decodeLabel(this.#read(0, limit(entries[0], MAX_LABEL_BYTES))));
      const trailerBytes = limit(entries.at(-1), MAX_TRAILER_BYTES);
      this.#trailer = attempt(() =>
        this.#checkTotals(decodeTrailer(this.#read(this.#trailerOffset(entries), trailerBytes)))
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get label(): MediaLabel {
    assert(this.#label !== null, "who reads the label opens all of the file");
    return this.#label;
  }

  get trailer(): MediaTrailer {
    assert(this.#trailer !== null, "who reads the trailer opens all of the file");
    return this.#trailer;
  }

  /** Are its frames encrypted? Without a label the first one says it. @throws SystemError */
  get isSealed(): boolean {
    if (this.#label !== null) return this.#label.encryption !== null;
    const [first] = this.#frames;
    if (first === undefined) return false;
    const bytes = Math.min(SKIPPABLE_HEADER_BYTES, first.compressedBytes);
    return isSealed(this.#read(first.mediaOffset, bytes));
  }

  /** Data frames in tar order; the position is the sequence. */
  get frames(): readonly FramePlace[] {
    return this.#frames;
  }

  /**
   * Reads one whole data frame, as it is stored.
   * @throws AgentError `damaged` when its header is not the one the seek table promises
   * @throws SystemError
   */
  readFrame(sequence: number): Uint8Array {
    const place = this.#frame(sequence);
    const frame = this.#read(place.mediaOffset, place.compressedBytes);
    this.#checkHeader(frame, place);
    return frame;
  }

  /**
   * Reads one whole data frame and compares it with the checksum in its index; where the index
   * cannot be read, whoever decompresses the frame finds what is wrong with it.
   * @throws AgentError `damaged`
   * @throws SystemError
   */
  readProvedFrame(sequence: number): Uint8Array {
    const frame = this.readFrame(sequence);
    const wanted = this.#checksum(sequence);
    if (wanted !== null && crc32(frame) !== wanted) {
      throw damagedFrame("data", "other bytes than its index says", "those of its checksum");
    }
    return frame;
  }

  /** Checks a data frame's header alone. @throws AgentError `damaged` */
  checkFrameHeader(sequence: number): void {
    const place = this.#frame(sequence);
    const longest = this.label.encryption === null ? ZSTD_HEADER_MAX_BYTES : SEALED_HEAD_BYTES;
    const bytes = Math.min(longest, place.compressedBytes);
    this.#checkHeader(this.#read(place.mediaOffset, bytes), place);
  }

  /** Number of index frames. */
  get groupCount(): number {
    return this.#indexes.length;
  }

  /** Data frames of the groups before one. */
  framesBefore(group: number): number {
    return this.#indexes[group - 1]?.framesBefore ?? 0;
  }

  /** Tar offset at which a group ends. */
  groupTarEnd(group: number): number {
    const last = this.#frames[(this.#indexes[group]?.framesBefore ?? 0) - 1];
    return last === undefined ? 0 : last.tarOffset + last.tarBytes;
  }

  /**
   * Reads one group's index and checks it against the frames it stands for.
   * @throws AgentError `damaged`
   */
  readGroup(group: number): GroupIndex {
    const place = this.#indexes[group];
    assert(place !== undefined, `group ${group} exists`);
    const index = decodeGroupIndex(this.#read(place.mediaOffset, place.bytes));
    const first = this.#indexes[group - 1]?.framesBefore ?? 0;
    const frames = this.#frames.slice(first, place.framesBefore);
    const same = index.firstSequence === first && index.frames.length === frames.length &&
      index.tarOffset === frames[0]?.tarOffset && index.mediaOffset === frames[0].mediaOffset &&
      index.frames.every((frame, at) =>
        frame.compressedBytes === frames[at]?.compressedBytes &&
        frame.tarBytes === frames[at].tarBytes
      );
    if (!same) throw damagedFrame("index", `other frames in group ${group}`, "the ones before it");
    return index;
  }

  /** CRC-32 of each frame in order; null where the index that holds it cannot be read. */
  *frameChecksums(): Generator<number | null> {
    for (let group = 0; group < this.groupCount; group++) yield* this.#groupChecksums(group);
  }

  /**
   * All index rows in tar order, one group in memory at a time.
   * @throws AgentError `damaged`
   */
  *indexRows(): Generator<IndexRow> {
    for (let group = 0; group < this.groupCount; group++) yield* this.groupRows(group);
  }

  /** The rows of one group. @throws AgentError `damaged` */
  *groupRows(group: number): Generator<IndexRow> {
    for (const { rows } of this.groupPages(group)) yield* rows;
  }

  /** The rows and notes of one group, frame by frame. @throws AgentError `damaged` */
  *groupPages(group: number): Generator<IndexPage> {
    const index = this.readGroup(group);
    let tarOffset = index.tarOffset;
    for (const frame of index.frames) {
      const page = readFrameRows(frame.rows, { ...frame, tarOffset });
      if (page.tarEnd > this.tarBytes) {
        throw damagedFrame("index", `a member to ${page.tarEnd}`, `one to ${this.tarBytes}`);
      }
      yield page;
      tarOffset += frame.tarBytes;
    }
  }

  /** Closes the file. Idempotent. */
  close(): void {
    if (!this.#closed) this.#files.close(this.#descriptor);
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #checksum(sequence: number): number | null {
    const group = this.#indexes.findIndex(({ framesBefore }) => sequence < framesBefore);
    if (this.#group?.group !== group) {
      const first = this.#indexes[group - 1]?.framesBefore ?? 0;
      this.#group = { group, first, checksums: this.#groupChecksums(group) };
    }
    return this.#group.checksums[sequence - this.#group.first] ?? null;
  }

  #groupChecksums(group: number): (number | null)[] {
    try {
      return this.readGroup(group).frames.map((frame) => frame.checksum);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const first = this.#indexes[group - 1]?.framesBefore ?? 0;
      const count = (this.#indexes[group]?.framesBefore ?? 0) - first;
      return Array.from({ length: count }, () => null);
    }
  }

  #frame(sequence: number): FramePlace {
    const place = this.#frames[sequence];
    assert(place !== undefined, `frame ${sequence} exists`);
    return place;
  }

  #readSeekTable(): SeekEntry[] {
    if (this.sizeBytes < SEEK_FOOTER_BYTES + SKIPPABLE_HEADER_BYTES) {
      throw damagedFrame("seek table", `a file of ${this.sizeBytes} bytes`, "17 or more");
    }
    const footer = this.#read(this.sizeBytes - SEEK_FOOTER_BYTES, SEEK_FOOTER_BYTES);
    const tableBytes = seekTableBytes(footer);
    const tableOffset = this.sizeBytes - tableBytes;
    if (tableOffset < 0) {
      throw damagedFrame("seek table", `${tableBytes} bytes`, `at most ${this.sizeBytes}`);
    }
    return decodeSeekTable(this.#read(tableOffset, tableBytes), tableOffset);
  }

  /** Sorts the entries into data frames and indexes. @returns tar bytes */
  #place(entries: readonly SeekEntry[]): number {
    let mediaOffset = 0;
    let tarOffset = 0;
    entries.forEach(({ compressedBytes, tarBytes }, at) => {
      if (tarBytes > 0) {
        if (tarBytes > MAX_FRAME_TAR_BYTES || compressedBytes > MAX_FRAME_BYTES) {
          throw damagedFrame("seek table", `a frame of ${tarBytes} bytes`, "4 MiB at most");
        }
        this.#frames.push({ mediaOffset, compressedBytes, tarOffset, tarBytes });
      } else if (at > 0 && at < entries.length - 1) {
        if (compressedBytes > MAX_GROUP_INDEX_BYTES) {
          throw damagedFrame("index", `${compressedBytes} bytes`, `${MAX_GROUP_INDEX_BYTES}`);
        }
        const framesBefore = this.#frames.length;
        this.#indexes.push({ mediaOffset, bytes: compressedBytes, framesBefore });
      }
      mediaOffset += compressedBytes;
      tarOffset += tarBytes;
    });
    if ((this.#indexes.at(-1)?.framesBefore ?? 0) !== this.#frames.length) {
      throw damagedFrame("seek table", "frames without an index", "an index after each group");
    }
    return tarOffset;
  }

  #trailerOffset(entries: readonly SeekEntry[]): number {
    const before = entries.slice(0, -1);
    return before.reduce((sum, entry) => sum + entry.compressedBytes, 0);
  }

  #checkTotals(trailer: MediaTrailer): MediaTrailer {
    const { frames, tarBytes } = trailer;
    if (frames !== this.#frames.length || tarBytes !== this.tarBytes) {
      const found = `${this.#frames.length} frames of ${this.tarBytes} tar bytes`;
      throw damagedFrame("trailer", found, `${frames} of ${tarBytes}`);
    }
    return trailer;
  }

  #checkHeader(frame: Uint8Array, place: FramePlace): void {
    const sealed = this.#label === null ? isSealed(frame) : this.#label.encryption !== null;
    if (sealed) return checkSealedHead(frame, place.compressedBytes);
    const { contentBytes } = readZstdHeader(frame);
    if (contentBytes !== place.tarBytes) {
      throw damagedFrame("data", `${contentBytes} content bytes`, `${place.tarBytes}`);
    }
  }

  #read(offset: number, bytes: number): Uint8Array {
    const into = takeBytes(bytes);
    for (let at = 0; at < bytes;) {
      const count = this.#files.readAt(this.#descriptor, offset + at, into.subarray(at));
      if (count === 0) {
        throw damagedFrame("data", `the end at ${offset + at}`, `${bytes - at} more`);
      }
      at += count;
    }
    return into;
  }
}

function always<T>(body: () => T): T {
  return body();
}

function nullIfUnreadable<T>(body: () => T): T | null {
  try {
    return body();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return null;
  }
}

function limit(entry: SeekEntry | undefined, maxBytes: number): number {
  const bytes = entry?.compressedBytes ?? 0;
  if (entry?.tarBytes !== 0 || bytes > maxBytes + SKIPPABLE_HEADER_BYTES) {
    throw damagedFrame("seek table", `a frame of ${bytes} bytes`, "label first, trailer last");
  }
  return bytes;
}
