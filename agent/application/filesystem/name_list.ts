// The names of one directory, sorted by their bytes, packed into one buffer.
//
// A directory may have hundreds of thousands of names, and an object for each costs some hundred
// bytes: 200,000 of them took 250 MiB. Here a name costs its own bytes and about ten more.

import { assert } from "../../../transport/ground/assert.ts";
import type { FileType } from "../../../transport/runtime/files.ts";

/** Bytes of the first buffer: most directories never need another. */
const FIRST_BYTES = 1024;

/** The position is how a type is kept. */
const TYPES: readonly FileType[] = [
  "unknown",
  "file",
  "directory",
  "symlink",
  "fifo",
  "socket",
  "character",
  "block",
];

export class NameList {
  #bytes = new Uint8Array(FIRST_BYTES);
  #fill = 0;
  /** Where each name begins and, one further, ends: in the order of arrival. */
  #offsets = new Uint32Array(FIRST_BYTES / 16);
  #types = new Uint8Array(FIRST_BYTES / 16);
  #count = 0;
  /** Positions of the names in the order of their bytes; null until `sort`. */
  #order: Uint32Array | null = null;

  get length(): number {
    return this.#count;
  }

  /** Copies a name in, with the type that its directory tells. */
  add(name: Uint8Array, type: FileType = "unknown"): void {
    assert(this.#order === null, "a sorted list takes no more names");
    if (this.#fill + name.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length + name.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (this.#count + 2 > this.#offsets.length) {
      const larger = new Uint32Array(2 * this.#offsets.length);
      larger.set(this.#offsets);
      this.#offsets = larger;
      const largerTypes = new Uint8Array(larger.length);
      largerTypes.set(this.#types);
      this.#types = largerTypes;
    }
    this.#types[this.#count] = TYPES.indexOf(type);
    this.#bytes.set(name, this.#fill);
    this.#fill += name.length;
    this.#count += 1;
    this.#offsets[this.#count] = this.#fill;
  }

  /** Puts the names in the order of their bytes. */
  sort(): void {
    const order = new Uint32Array(this.#count);
    for (let index = 0; index < this.#count; index += 1) order[index] = index;
    order.sort((a, b) => this.#compare(a, b));
    this.#order = order;
  }

  /** Keeps only some names of the sorted list. */
  retain(isKept: (name: Uint8Array, type: FileType) => boolean): void {
    assert(this.#order !== null, "the list was sorted");
    let kept = 0;
    for (let position = 0; position < this.#count; position += 1) {
      const name = this.at(position);
      if (name === null || !isKept(name, this.typeAt(position))) continue;
      this.#order[kept] = this.#order[position] as number;
      kept += 1;
    }
    this.#order = this.#order.subarray(0, kept);
    this.#count = kept;
  }

  /** Order of the name at a position of the sorted list and another one, a part of larger bytes. */
  compareAt(position: number, name: Uint8Array, from = 0, end = name.length): number {
    const index = this.#order?.[position];
    assert(index !== undefined, "the position is in the sorted list");
    const start = this.#offsets[index] as number;
    const length = (this.#offsets[index + 1] as number) - start;
    const shared = Math.min(length, end - from);
    for (let at = 0; at < shared; at += 1) {
      const difference = (this.#bytes[start + at] as number) - (name[from + at] as number);
      if (difference !== 0) return difference;
    }
    return length - (end - from);
  }

  /** True when the sorted list has the name. */
  has(name: Uint8Array): boolean {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = this.compareAt(middle, name);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  /** A copy of the name at a position of the sorted list, null behind the last. */
  at(position: number): Uint8Array | null {
    assert(this.#order !== null, "the list was sorted");
    const index = this.#order[position];
    if (index === undefined) return null;
    return this.#bytes.slice(this.#offsets[index], this.#offsets[index + 1]);
  }

  /** Type of the name at a position of the sorted list. */
  typeAt(position: number): FileType {
    return TYPES[this.#types[this.#order?.[position] ?? -1] ?? 0] ?? "unknown";
  }

  #compare(a: number, b: number): number {
    const bytes = this.#bytes;
    const [startA, startB] = [this.#offsets[a] as number, this.#offsets[b] as number];
    const lengthA = (this.#offsets[a + 1] as number) - startA;
    const lengthB = (this.#offsets[b + 1] as number) - startB;
    const shared = Math.min(lengthA, lengthB);
    for (let index = 0; index < shared; index += 1) {
      const difference = (bytes[startA + index] as number) - (bytes[startB + index] as number);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }
}
