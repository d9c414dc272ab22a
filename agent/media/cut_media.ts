// Reads a media file whose writing was cut off, as far as it can be gone on with: label, frames and
// the indexes after each group of them. There is no seek table; the frames say where they end.
//
// Invariants:
//  1. What is taken is proved: each frame by the CRC-32 that its group's index has of it, each
//     index by its own. Nothing relies on what was synced; a crash may have left anything.
//  2. Frames after the last index count for nothing: the rows of their members are lost.
//  3. The file is locked as long as this is open; its writer holds the same lock, so a file that
//     can be locked has no writer any more.

import { assert } from "../../transport/ground/assert.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import type { IndexPage } from "../entry.ts";
import { decodeGroupIndex } from "./group_index.ts";
import { decodeIndexRows } from "./index_rows.ts";
import { decodeLabel } from "./label.ts";
import type { MediaLabel } from "./label.ts";
import {
  MAX_FRAME_BYTES,
  MAX_FRAME_TAR_BYTES,
  MAX_GROUP_FRAMES,
  MAX_GROUP_INDEX_BYTES,
  MAX_LABEL_BYTES,
} from "./limits.ts";
import { PrefixScan } from "./media_prefix.ts";
import type { CutPrefixes, FoundFrame, MediaPrefix } from "./media_prefix.ts";
import { isSkippable, SKIPPABLE_HEADER_BYTES } from "./skippable_frame.ts";
import { measureZstdFrame } from "./zstd_frame.ts";

export class CutMedia {
  readonly #files: Files;
  #descriptor: number | null;
  readonly #sizeBytes: number;
  readonly #labelBytes: number;
  /** What was read ahead: frames are mostly much shorter than the longest. */
  #window = new Uint8Array(0);
  #windowAt = 0;
  #windowBytes = 0;
  readonly label: MediaLabel;

  private constructor(files: Files, descriptor: number) {
    this.#files = files;
    this.#descriptor = descriptor;
    this.#sizeBytes = files.statDescriptor(descriptor).sizeBytes;
    const label = this.#readSkippable(0, MAX_LABEL_BYTES + SKIPPABLE_HEADER_BYTES);
    this.label = decodeLabel(label ?? new Uint8Array(0));
    this.#labelBytes = label?.length ?? 0;
  }

  /**
   * Opens the file and locks it.
   * @returns null when somebody else has it: it is being written
   * @throws AgentError `damaged` when its label cannot be read
   * @throws SystemError
   */
  static open(files: Files, path: string): CutMedia | null {
    const descriptor = files.open(AT_CWD, path, { access: "read-write" });
    try {
      if (files.lock(descriptor, "exclusive", { wait: false })) {
        return new CutMedia(files, descriptor);
      }
    } catch (error) {
      files.close(descriptor);
      throw error;
    }
    files.close(descriptor);
    return null;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Finds how far the file is whole; reads all of it and yields between its groups.
   * @throws SystemError
   */
  *findPrefixes(): Generator<void, CutPrefixes> {
    const scan = new PrefixScan(this.#labelBytes);
    this.#window = new Uint8Array(Math.min(MAX_FRAME_BYTES, this.#sizeBytes));
    let frames: FoundFrame[] = [];
    for (let at = this.#labelBytes;;) {
      const index = this.#readSkippable(at, MAX_GROUP_INDEX_BYTES + SKIPPABLE_HEADER_BYTES);
      if (index !== null) {
        if (!scan.take(index, frames)) break;
        frames = [];
        at += index.length;
        yield;
        continue;
      }
      const frame = this.#readFrame(at);
      if (frame === null || frames.length === MAX_GROUP_FRAMES) break;
      frames.push(frame);
      at += frame.compressedBytes;
    }
    return scan.prefixes((group) => decodeGroupIndex(this.#read(group.mediaOffset, group.bytes)));
  }

  /** The rows and notes of a prefix of this file, one group in memory at a time. */
  *pages(prefix: MediaPrefix): Generator<IndexPage> {
    let mediaOffset = 0;
    for (const { compressedBytes, tarBytes } of prefix.entries) {
      if (tarBytes === 0 && mediaOffset > 0) {
        const index = decodeGroupIndex(this.#read(mediaOffset, compressedBytes));
        for (const { rows } of index.frames) yield decodeIndexRows(rows);
      }
      mediaOffset += compressedBytes;
    }
    for (const { rows } of prefix.group) yield decodeIndexRows(rows);
  }

  /** Hands the locked file over to who goes on with it, and must close it then. */
  release(): number {
    const descriptor = this.#open();
    this.#descriptor = null;
    return descriptor;
  }

  /** Closes the file and gives the lock back. Idempotent. */
  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) this.#files.close(descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    assert(this.#descriptor !== null, "a cut media file is read before it is closed");
    return this.#descriptor;
  }

  /** A whole skippable frame; null when there is none, or one that is longer than the file. */
  #readSkippable(at: number, maxBytes: number): Uint8Array | null {
    if (at + SKIPPABLE_HEADER_BYTES > this.#sizeBytes) return null;
    const header = this.#read(at, SKIPPABLE_HEADER_BYTES);
    if (!isSkippable(header)) return null;
    const bytes = SKIPPABLE_HEADER_BYTES + new DataView(header.buffer).getUint32(4, true);
    return bytes > maxBytes || at + bytes > this.#sizeBytes ? null : this.#read(at, bytes);
  }

  /** A whole data frame; null when there is none. */
  #readFrame(at: number): FoundFrame | null {
    const frame = this.#measure(at) ?? (this.#moveWindow(at) ? this.#measure(at) : null);
    if (frame === null || frame.tarBytes < 1 || frame.tarBytes > MAX_FRAME_TAR_BYTES) return null;
    return frame;
  }

  /** The frame that begins here; null when it is none, or not all in the window. */
  #measure(at: number): FoundFrame | null {
    const bytes = this.#window.subarray(Math.max(0, at - this.#windowAt), this.#windowBytes);
    try {
      const { frameBytes, contentBytes } = measureZstdFrame(bytes);
      if (frameBytes > bytes.length) return null;
      const checksum = crc32(bytes.subarray(0, frameBytes));
      return { compressedBytes: frameBytes, tarBytes: contentBytes, checksum };
    } catch (error) {
      if (error instanceof AgentError) return null;
      throw error;
    }
  }

  /** @returns false when the window shows no more then */
  #moveWindow(at: number): boolean {
    const count = Math.min(this.#window.length, this.#sizeBytes - at);
    if (count <= 0 || at + count <= this.#windowAt + this.#windowBytes) return false;
    this.#fill(at, this.#window.subarray(0, count));
    this.#windowAt = at;
    this.#windowBytes = count;
    return true;
  }

  #read(at: number, bytes: number): Uint8Array<ArrayBuffer> {
    const into = new Uint8Array(bytes);
    this.#fill(at, into);
    return into;
  }

  #fill(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const count = this.#files.readAt(this.#open(), at + done, into.subarray(done));
      assert(count > 0, "a locked file keeps its length");
      done += count;
    }
  }
}
