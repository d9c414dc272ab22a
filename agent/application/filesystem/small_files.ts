// What crosses between the thread of a restore and the one that writes small files for it.
//
// The files go through memory that both threads see, cut into slots: a batch of files has one.
//
//   offset  bytes  of the memory        offset  bytes  of a record
//        0      8  batches done                0      4  descriptor of the directory
//        8      8  files written               4     12  mode, uid, gid
//       16      8  bytes of their content     16      8  modification time, ns, signed
//       24         slots: records             24     12  bytes of the path, of the content; 1: bare
//                  without a gap              36         path, content
//
// Numbers are little-endian. The counts are atomic: who sees one sees what was written before it.

import { assert } from "../../../transport/ground/assert.ts";
import type { ErrorRecord } from "../../../transport/ground/error.ts";
import type { Entry } from "../../entry.ts";
import type { ApplicationWarning } from "../application.ts";
import { SMALL_FILE_SLOT_BYTES, SMALL_FILE_SLOTS } from "../limits.ts";

/** A regular file without extended attributes, whole. */
export interface SmallFile {
  readonly entry: Entry;
  /** False: extended attributes that it is created with are not looked for. */
  readonly isBare: boolean;
  /** Descriptor of the directory: it stays open until the batch is done. */
  readonly directory: number;
}

/** To the thread that writes: the restore begins, then its batches, then its end. */
export type ToSmallFileWriter =
  | { readonly type: "begin"; readonly target: string; readonly memory: SharedArrayBuffer }
  /** Numbers from 0, without a gap; its files are in slot `number % SMALL_FILE_SLOTS`. */
  | { readonly type: "batch"; readonly number: number; readonly files: number }
  | { readonly type: "end" };

/** From it. */
export type FromSmallFileWriter =
  /** Comes first: it has started, and what is posted is taken at once. */
  | { readonly type: "ready" }
  | { readonly type: "warnings"; readonly warnings: readonly ApplicationWarning[] }
  /** What ends the restore: nothing more is written after it. */
  | { readonly type: "failure"; readonly error: ErrorRecord }
  /** Answers the end: nothing more comes. */
  | { readonly type: "end" };

const COUNTS = 3;
const SLOTS_OFFSET = 24;
const RECORD_BYTES = 36;
const MAX_UINT32 = 0xffff_ffff;

/** The memory of both threads. */
export class SmallFileMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #counts: BigInt64Array;

  /** Memory of the other thread, or new memory. */
  constructor(buffer?: SharedArrayBuffer) {
    const bytes = SLOTS_OFFSET + SMALL_FILE_SLOTS * SMALL_FILE_SLOT_BYTES;
    this.buffer = buffer ?? new SharedArrayBuffer(bytes);
    this.#counts = new BigInt64Array(this.buffer, 0, COUNTS);
  }

  /** The slot of a batch. */
  slot(batch: number): SmallFileSlot {
    const offset = SLOTS_OFFSET + (batch % SMALL_FILE_SLOTS) * SMALL_FILE_SLOT_BYTES;
    return new SmallFileSlot(new Uint8Array(this.buffer, offset, SMALL_FILE_SLOT_BYTES));
  }

  /** Counts a batch of which nothing is left to do, and the files that stand at their names. */
  addBatch(done: { readonly files: number; readonly contentBytes: number }): void {
    Atomics.add(this.#counts, 1, BigInt(done.files));
    Atomics.add(this.#counts, 2, BigInt(done.contentBytes));
    Atomics.add(this.#counts, 0, 1n);
  }

  /** Batches that are done. */
  get batches(): number {
    return Number(Atomics.load(this.#counts, 0));
  }

  get files(): number {
    return Number(Atomics.load(this.#counts, 1));
  }

  get contentBytes(): number {
    return Number(Atomics.load(this.#counts, 2));
  }
}

/** The files of a batch: they are put one after the other, and taken in that order. */
export class SmallFileSlot {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** @returns false when there is no room */
  put({ entry, isBare, directory }: SmallFile, content: Uint8Array): boolean {
    const { path } = entry;
    const at = this.#at;
    const contentAt = at + RECORD_BYTES + path.length;
    if (contentAt + content.length > this.#bytes.length) return false;
    const view = this.#view;
    view.setUint32(at, directory, true);
    view.setUint32(at + 4, entry.mode, true);
    view.setUint32(at + 8, entry.uid, true);
    view.setUint32(at + 12, entry.gid, true);
    view.setBigInt64(at + 16, entry.mtimeNs, true);
    view.setUint32(at + 24, path.length, true);
    view.setUint32(at + 28, content.length, true);
    view.setUint32(at + 32, isBare ? 1 : 0, true);
    this.#bytes.set(path, at + RECORD_BYTES);
    this.#bytes.set(content, contentAt);
    this.#at = contentAt + content.length;
    return true;
  }

  /** The next file; its content is valid until another batch has the slot. */
  take(): SmallFile & { readonly content: Uint8Array } {
    const at = this.#at;
    const view = this.#view;
    assert(at + RECORD_BYTES <= this.#bytes.length, "a slot has the files that were put in it");
    const contentAt = at + RECORD_BYTES + view.getUint32(at + 24, true);
    const sizeBytes = view.getUint32(at + 28, true);
    this.#at = contentAt + sizeBytes;
    const entry: Entry = {
      path: this.#bytes.slice(at + RECORD_BYTES, contentAt),
      type: "file",
      mode: view.getUint32(at + 4, true),
      uid: view.getUint32(at + 8, true),
      gid: view.getUint32(at + 12, true),
      sizeBytes,
      mtimeNs: view.getBigInt64(at + 16, true),
      ctimeNs: 0n,
      inode: 0n,
      target: null,
      rdev: null,
    };
    return {
      entry,
      isBare: view.getUint32(at + 32, true) === 1,
      directory: view.getUint32(at, true),
      content: this.#bytes.subarray(contentAt, this.#at),
    };
  }
}

/** True when the numbers of an entry have room in a record. */
export function fitsRecord({ uid, gid, mtimeNs }: Entry): boolean {
  return uid <= MAX_UINT32 && gid <= MAX_UINT32 && BigInt.asIntN(64, mtimeNs) === mtimeNs;
}
