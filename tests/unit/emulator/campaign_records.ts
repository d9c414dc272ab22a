// Records that verify themselves, for processes that share an array and may be killed: who wrote
// what is noted in a file beside the array, which outlives its writer.
//
// Write n of a record fills it with words that carry the record and n. Its writer notes n as begun
// before the write and as done after it. So whoever reads the record between two looks at the notes
// knows the range that every word of it must be in, and between writes that is one number.
//
// Runs of RUN records belong to one writer each, in turn; runs are no multiple of a track, so that
// writers share tracks, slots and boards.

import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";

export const RECORD = 4096;
/** Of each of two volumes: a MiB. */
export const RECORDS_PER_VOLUME = 256;
export const RECORDS = 2 * RECORDS_PER_VOLUME;
export const WRITERS = 4;
const RUN = 5;
/** Bits of a word that count writes; the others carry the record. */
const COUNT_BITS = 20;

export function ownerOf(record: number): number {
  return Math.floor(record / RUN) % WRITERS;
}

/** The records of a run from `record` on that lie on its volume. */
export function restOfRun(record: number): number {
  const inRun = RUN - record % RUN;
  return Math.min(inRun, RECORDS_PER_VOLUME - record % RECORDS_PER_VOLUME);
}

export function fillRecord(words: Uint32Array, record: number, count: number): void {
  words.fill(((record << COUNT_BITS) | count) >>> 0);
}

export class WriteNotes {
  readonly #descriptor: number;
  readonly #pair = new Uint32Array(2);

  constructor(path: string) {
    this.#descriptor = openSync(path, "r+");
  }

  static create(path: string): void {
    writeFileSync(path, new Uint8Array(RECORDS * 8));
  }

  read(record: number): { readonly begun: number; readonly done: number } {
    readSync(this.#descriptor, this.#pair, 0, 8, record * 8);
    return { begun: this.#pair[0] ?? 0, done: this.#pair[1] ?? 0 };
  }

  note(record: number, which: "begun" | "done", count: number): void {
    const word = new Uint32Array([count]);
    writeSync(this.#descriptor, word, 0, 4, record * 8 + (which === "begun" ? 0 : 4));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export interface ReadableVolume {
  read(offsetBytes: number, into: Uint8Array): void;
}

/** @throws Error when the record does not hold what its notes allow */
export function verifyRecord(
  volumes: readonly ReadableVolume[],
  notes: WriteNotes,
  record: number,
): void {
  const words = new Uint32Array(RECORD / 4);
  const { done: least } = notes.read(record);
  const volume = volumes[Math.floor(record / RECORDS_PER_VOLUME)];
  volume?.read(record % RECORDS_PER_VOLUME * RECORD, new Uint8Array(words.buffer));
  const { begun: most } = notes.read(record);
  for (const [at, word] of words.entries()) {
    const count = word & (2 ** COUNT_BITS - 1);
    const found = word >>> COUNT_BITS;
    const fits = (found === record || word === 0) && count >= least && count <= most;
    if (fits) continue;
    throw new Error(
      `word ${at} of record ${record} is write ${count} of record ${found}, ` +
        `need write ${least} to ${most} of ${record}`,
    );
  }
}
