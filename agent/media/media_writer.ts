// Writes one media file: label, the client's frames unmodified, an index after each group of
// frames, trailer, seek table. Synchronous: it belongs on a job's worker thread.
//
// Invariants:
//  1. Nothing but whole zstd frames with content size and checksum, or such as are encrypted, is
//     taken, in sequence.
//  2. The file grows only at its end; what `sync` covered is never written again.
//  3. Memory is one group's rows and 8 bytes a frame; frames go from the caller's buffer to the
//     kernel.
//  4. The label comes with the first frame, which says whether the backup is encrypted; then all
//     frames are, or none. A file that goes on from a cut one gets its label at once: it is plain.
//  5. The writer never renames: a file gets its final name by publication (vault/).
//  6. The file is locked while it is written, so that nobody takes it for one that was cut.
//  7. Every write names its offset: after a full disk it can be tried again.

import { assert } from "../../transport/ground/assert.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { DataRecord } from "../record.ts";
import { encodeGroupIndex } from "./group_index.ts";
import type { GroupFrame } from "./group_index.ts";
import { encodeContinuedLabel, encodeLabel } from "./label.ts";
import type { BackupStart } from "./label.ts";
import {
  GROUP_ROWS_BYTES,
  GROUP_TAR_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAME_ROWS_BYTES,
  MAX_FRAME_TAR_BYTES,
  MAX_GROUP_FRAMES,
  MAX_SEEK_ENTRIES,
} from "./limits.ts";
import { checkSealedHead, isSealed } from "./sealed_frame.ts";
import { encodeSeekTable } from "./seek_table.ts";
import type { MediaPrefix } from "./media_prefix.ts";
import type { SeekEntry } from "./seek_table.ts";
import { encodeTrailer } from "./trailer.ts";
import type { BackupResult } from "./trailer.ts";
import type { CutMedia } from "./cut_media.ts";
import { checkZstdFrame } from "./zstd_frame.ts";

/** Frames that a file may hold: the seek table also lists label, indexes and trailer. */
const MAX_FRAMES = MAX_SEEK_ENTRIES - Math.ceil(MAX_SEEK_ENTRIES / 2) - 2;

export interface MediaWriterOptions {
  readonly files: Files;
  /** Where to write; must not exist. */
  readonly path: string;
  readonly label: BackupStart;
  /** Makes room on a full disk. @returns true when a write is worth another try */
  readonly makeRoom?: (() => boolean) | undefined;
}

/** A cut file, and how far it is gone on with. */
export interface Continuation {
  readonly cut: CutMedia;
  readonly prefix: MediaPrefix;
}

interface Takeover extends Continuation {
  /** For the place of the cut file's own. */
  readonly label: Uint8Array;
}

export class MediaWriter {
  readonly #files: Files;
  readonly #path: string;
  readonly #start: BackupStart;
  readonly #makeRoom: () => boolean;
  readonly #entries: SeekEntry[] = [];
  #descriptor: number | null;
  /** Null before the first frame. */
  #encryption: { readonly by: "age" | null } | null = null;
  #group: GroupFrame[] = [];
  #groupRowsBytes = 0;
  #groupMediaOffset = 0;
  #groupTarOffset = 0;
  #mediaBytes = 0;
  #tarBytes = 0;
  #rowCount = 0;
  #nextSequence = 0;
  #syncedSequence = -1;

  /**
   * Creates the file; or goes on with a file that was cut.
   * @throws SystemError
   */
  constructor(options: MediaWriterOptions, takeover?: Takeover) {
    const { files, path } = options;
    this.#files = files;
    this.#path = path;
    this.#start = options.label;
    this.#makeRoom = options.makeRoom ?? (() => false);
    const create = { access: "write", create: true, exclusive: true, mode: 0o600 } as const;
    const descriptor = takeover?.cut.release() ?? files.open(AT_CWD, path, create);
    this.#descriptor = descriptor;
    try {
      // Who looks for cut files has the lock for a moment.
      if (takeover === undefined) files.lock(descriptor, "exclusive", { wait: true });
      else this.#takeOver(takeover);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /**
   * Goes on with a cut file, which is the writer's own from then on: what does not belong to the
   * prefix goes, and the label takes the place of its own.
   * @returns null when the label does not fit there; the cut file is as it was
   * @throws SystemError
   */
  static goOn(options: MediaWriterOptions, continuation: Continuation): MediaWriter | null {
    const labelBytes = continuation.prefix.entries[0]?.compressedBytes ?? 0;
    const label = encodeContinuedLabel(options.label, labelBytes);
    return label === null ? null : new MediaWriter(options, { ...continuation, label });
  }

  /** Sequence that `append` takes next. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Is there something that another one could go on with? */
  get isWorthKeeping(): boolean {
    return this.#nextSequence > 0 && this.#encryption?.by === null;
  }

  /** Last sequence that is durable, -1 before the first. */
  get syncedSequence(): number {
    return this.#syncedSequence;
  }

  get mediaBytes(): number {
    return this.#mediaBytes;
  }

  get tarBytes(): number {
    return this.#tarBytes;
  }

  /**
   * Writes one record at the end of the file.
   * @throws AgentError `damaged` for a record out of sequence or anything but one zstd frame
   * @throws SystemError
   */
  append(record: DataRecord): void {
    this.#check(record);
    if (this.#encryption === null) this.#begin(isSealed(record.frame) ? "age" : null);
    this.#write(record.frame, record.tarBytes);
    this.#group.push({
      compressedBytes: record.frame.length,
      tarBytes: record.tarBytes,
      rowCount: record.rowCount,
      checksum: crc32(record.frame),
      // The caller may reuse its receive buffer after the call; rows wait for their group.
      rows: record.rows.slice(),
    });
    this.#groupRowsBytes += record.rows.length;
    this.#tarBytes += record.tarBytes;
    this.#rowCount += record.rowCount;
    this.#nextSequence = record.sequence + 1;
    const isFull = this.#group.length === MAX_GROUP_FRAMES ||
      this.#groupRowsBytes >= GROUP_ROWS_BYTES ||
      this.#tarBytes - this.#groupTarOffset >= GROUP_TAR_BYTES;
    if (isFull) this.#endGroup();
  }

  /**
   * Makes everything appended durable.
   * @returns the last durable sequence, -1 when there is none
   * @throws SystemError
   */
  sync(): number {
    this.#files.sync(this.#open());
    this.#syncedSequence = this.#nextSequence - 1;
    return this.#syncedSequence;
  }

  /**
   * Writes trailer and seek table, makes all durable and closes the file.
   * @param number place in the order of publication
   * @throws SystemError
   */
  finish(result: BackupResult, number: number): void {
    if (this.#encryption === null) this.#begin(null);
    this.#endGroup();
    const checks = {
      frames: this.#nextSequence,
      rows: this.#rowCount,
      tarBytes: this.#tarBytes,
    };
    this.#write(encodeTrailer({ ...result, number, ...checks }), 0);
    this.#writeBytes(encodeSeekTable(this.#entries));
    this.sync();
    this.#close();
  }

  /** Closes a file that was cut, so that another one can go on with it. Idempotent. */
  keep(): void {
    if (this.#descriptor === null) return;
    try {
      this.#endGroup();
    } finally {
      this.#close();
    }
  }

  /** Closes and removes the file. Idempotent; after `finish` it removes the finished file. */
  abort(): void {
    this.#close();
    try {
      this.#files.unlink(AT_CWD, this.#path);
    } catch {
      // It is gone, or the next start of the vault removes it.
    }
  }

  #check(record: DataRecord): void {
    if (record.sequence !== this.#nextSequence) {
      throw refused(record, `sequence ${record.sequence}`, `${this.#nextSequence}`);
    }
    if (record.sequence >= MAX_FRAMES) {
      throw refused(record, "one frame too many", `at most ${MAX_FRAMES}`);
    }
    if (record.frame.length > MAX_FRAME_BYTES) {
      throw refused(record, `${record.frame.length} bytes`, `at most ${MAX_FRAME_BYTES}`);
    }
    if (record.tarBytes < 1 || record.tarBytes > MAX_FRAME_TAR_BYTES) {
      throw refused(record, `${record.tarBytes} tar bytes`, `1 to ${MAX_FRAME_TAR_BYTES}`);
    }
    if (record.rows.length > MAX_FRAME_ROWS_BYTES) {
      throw refused(record, `${record.rows.length} row bytes`, `at most ${MAX_FRAME_ROWS_BYTES}`);
    }
    const sealed = isSealed(record.frame);
    if (this.#encryption !== null && (this.#encryption.by !== null) !== sealed) {
      throw refused(record, sealed ? "an encrypted frame" : "a plain frame", "all frames alike");
    }
    // What is in an encrypted frame is for its reader to check.
    if (sealed) return checkSealedHead(record.frame, record.frame.length);
    const { contentBytes } = checkZstdFrame(record.frame);
    if (contentBytes !== record.tarBytes) {
      throw refused(record, `${contentBytes} content bytes`, `the declared ${record.tarBytes}`);
    }
  }

  #begin(by: "age" | null): void {
    this.#encryption = { by };
    this.#write(encodeLabel({ ...this.#start, encryption: by }), 0);
    this.#groupMediaOffset = this.#mediaBytes;
  }

  #write(frame: Uint8Array, tarBytes: number): void {
    this.#writeBytes(frame);
    this.#entries.push({ compressedBytes: frame.length, tarBytes });
  }

  #writeBytes(bytes: Uint8Array): void {
    const write = () => this.#files.writeAllAt(this.#open(), this.#mediaBytes, bytes);
    try {
      write();
    } catch (error) {
      const isFull = error instanceof SystemError && error.errno === "ENOSPC";
      if (!isFull || !this.#makeRoom()) throw error;
      write();
    }
    this.#mediaBytes += bytes.length;
  }

  #takeOver({ prefix, label }: Takeover): void {
    this.#encryption = { by: null };
    this.#files.truncate(this.#open(), prefix.mediaBytes);
    this.#files.writeAllAt(this.#open(), 0, label);
    for (const entry of prefix.entries) this.#entries.push(entry); // A spread has a limit.
    this.#group = [...prefix.group];
    this.#groupMediaOffset = prefix.groupMediaOffset;
    this.#groupTarOffset = prefix.groupTarOffset;
    this.#mediaBytes = prefix.mediaBytes;
    this.#tarBytes = prefix.tarBytes;
    this.#rowCount = prefix.rowCount;
    this.#nextSequence = prefix.frameCount;
    // The rows of what stays of a group are in the file again before anything else.
    this.#endGroup();
  }

  #endGroup(): void {
    if (this.#group.length > 0) {
      const index = {
        firstSequence: this.#nextSequence - this.#group.length,
        tarOffset: this.#groupTarOffset,
        mediaOffset: this.#groupMediaOffset,
        frames: this.#group,
      };
      this.#write(encodeGroupIndex(index), 0);
      // On its way to the device while the next group comes: else all of it would be waited for at
      // the end.
      const groupBytes = this.#mediaBytes - this.#groupMediaOffset;
      this.#files.startSync(this.#open(), this.#groupMediaOffset, groupBytes);
    }
    this.#group = [];
    this.#groupRowsBytes = 0;
    this.#groupMediaOffset = this.#mediaBytes;
    this.#groupTarOffset = this.#tarBytes;
  }

  #open(): number {
    assert(this.#descriptor !== null, "a media file is written before it is finished or aborted");
    return this.#descriptor;
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) this.#files.close(descriptor);
  }
}

function refused(record: DataRecord, found: string, wanted: string): AgentError {
  const message = `Cannot take record "${record.sequence}": ${found}, need ${wanted}`;
  return new AgentError("damaged", message, {
    hint: "Use the same version of the agent on both hosts and start the backup again.",
  });
}
