// The job's end of the thread that writes small files for a restore.
//
// Writing them is what a restore of many small files takes its time for, and one thread can use
// one processor. While the other thread has enough to do, the job's thread writes what comes
// itself: so both are busy, whatever the files are like.
//
// Invariants:
//  1. Only whole regular files go there, for directories that the restore made: what it writes
//     depends on nothing that the job's thread does meanwhile, but for the directory, which stays
//     open.
//  2. Before the job's thread does anything at a path that `has` tells, it waits.
//  3. A thread is asked for once, when there are many small files, and may come late or never.

import { AgentError, fromErrorRecord } from "../../../transport/ground/error.ts";
import type { Clock } from "../../../transport/runtime/runtime.ts";
import type { Entry, Xattr } from "../../entry.ts";
import type { ApplicationWarning } from "../application.ts";
import {
  SECOND_WRITER_AFTER_FILES,
  SECOND_WRITER_DOZE_MS,
  SMALL_FILE_BYTES_MAX,
  SMALL_FILE_SLOTS,
} from "../limits.ts";
import { fitsRecord, SmallFileMemory, type SmallFileSlot } from "./small_files.ts";
import type { FromSmallFileWriter, SmallFile, ToSmallFileWriter } from "./small_files.ts";

/** Messages to the thread, and from it. */
export type WriterPort = Pick<MessagePort, "postMessage" | "close" | "onmessage">;

export interface SecondWriterOptions {
  readonly clock: Pick<Clock, "doze">;
  /** Asks for the thread. */
  readonly ask: () => Promise<WriterPort>;
  /** For tests: small files before that. */
  readonly afterFiles?: number | undefined;
}

export interface SecondWriterParts extends SecondWriterOptions {
  /** The directory restored to, for messages. */
  readonly target: string;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

const decoder = new TextDecoder("latin1");

export class SecondWriter {
  readonly #parts: SecondWriterParts;
  readonly #memory = new SmallFileMemory();
  /** Paths of the files of a batch, by its slot. */
  readonly #paths = Array.from({ length: SMALL_FILE_SLOTS }, () => new Set<string>());
  #port: WriterPort | null = null;
  #closed = false;
  #seen = 0;
  #slot: SmallFileSlot | null = null;
  /** Files of the batch that is being put together. */
  #taken = 0;
  #sent = 0;
  #failure: AgentError | null = null;
  #onEnd: () => void = () => {};

  constructor(parts: SecondWriterParts) {
    this.#parts = parts;
  }

  get files(): number {
    return this.#memory.files;
  }

  get contentBytes(): number {
    return this.#memory.contentBytes;
  }

  /** True for a file that it may take, as far as its entry tells, and while it has room. */
  wants(entry: Entry, xattrs: readonly Xattr[] | null): boolean {
    if (entry.sizeBytes > SMALL_FILE_BYTES_MAX) return false;
    if (xattrs !== null && xattrs.length > 0) return false;
    if (this.#port === null) {
      const { afterFiles = SECOND_WRITER_AFTER_FILES } = this.#parts;
      if (++this.#seen === afterFiles) this.#ask();
      return false;
    }
    const hasRoom = this.#taken > 0 || this.#sent - this.#memory.batches < SMALL_FILE_SLOTS;
    return hasRoom && fitsRecord(entry);
  }

  /** Takes a file that it `wants`, and all of its content. @returns its batch; null: no room */
  add(file: SmallFile, content: Uint8Array): number | null {
    const paths = this.#pathsOf(this.#sent);
    if (this.#slot === null) {
      this.#slot = this.#memory.slot(this.#sent);
      paths.clear();
    }
    if (!this.#slot.put(file, content)) return null;
    paths.add(decoder.decode(file.entry.path));
    this.#taken++;
    return this.#sent;
  }

  /** Sends what was taken. */
  flush(): void {
    if (this.#taken === 0) return;
    this.#post({ type: "batch", number: this.#sent++, files: this.#taken });
    this.#slot = null;
    this.#taken = 0;
  }

  /** True when the files of that batch are written. */
  isDone(batch: number): boolean {
    return batch < this.#memory.batches;
  }

  /** True when the file of that path, as latin1, was taken and may not be there yet. */
  has(path: string): boolean {
    const last = this.#taken > 0 ? this.#sent : this.#sent - 1;
    const first = this.#memory.batches;
    if (first > last) return false;
    for (let batch = first; batch <= last; batch++) {
      if (this.#pathsOf(batch).has(path)) return true;
    }
    return false;
  }

  /** Sends what was taken and blocks until all is written. */
  wait(): void {
    this.flush();
    while (this.#memory.batches < this.#sent) this.#parts.clock.doze(SECOND_WRITER_DOZE_MS);
  }

  /** @throws AgentError `no_space` | `failed` when the thread met what ends the restore */
  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** After `wait`: resolves when all that was to be warned of is. @throws as `throwIfFailed` */
  async settle(): Promise<void> {
    if (this.#port !== null) {
      const ended = new Promise<void>((resolve) => this.#onEnd = resolve);
      this.#post({ type: "end" });
      await ended;
    }
    this.close();
    this.throwIfFailed();
  }

  /** After `wait`: nothing more comes of it. */
  close(): void {
    this.#closed = true;
    this.#port?.close();
    this.#port = null;
  }

  #pathsOf(batch: number): Set<string> {
    return this.#paths[batch % SMALL_FILE_SLOTS] as Set<string>;
  }

  #ask(): void {
    void this.#parts.ask().then((port) => {
      port.onmessage = ({ data }) => this.#receive(port, data as FromSmallFileWriter);
    });
  }

  #begin(port: WriterPort): void {
    if (this.#closed) return port.close();
    this.#port = port;
    this.#post({ type: "begin", target: this.#parts.target, memory: this.#memory.buffer });
  }

  #post(message: ToSmallFileWriter): void {
    this.#port?.postMessage(message);
  }

  #receive(port: WriterPort, message: FromSmallFileWriter): void {
    if (message.type === "ready") this.#begin(port);
    else if (message.type === "warnings") message.warnings.forEach(this.#parts.onWarning);
    else if (message.type === "failure") this.#failure = fromErrorRecord(message.error);
    else this.#onEnd();
  }
}
