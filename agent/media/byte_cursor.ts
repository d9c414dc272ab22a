// A growing writer and a checked reader of the varint-coded bytes that index rows consist of.
//
// Varints are little-endian base 128 (LEB128), shortest form. Signed values are zigzag coded. The
// reader checks every length against what is left, so that it never runs past its bytes, and
// throws AgentError `damaged`.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";

const FIRST_BYTES = 4096;
const MAX_VARINT_BYTES = 10;
/** Bytes of a varint that is a safe integer whatever they are. */
const SMALL_BYTES = 7;
const MAX_INT32 = 0x7fff_ffff;

/** Signed values below it are zigzag coded as plain numbers. */
const MAX_ZIGZAG = 2 ** 52;

/** Appends to a buffer that doubles when full. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends a non-negative safe integer. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "a varint is a non-negative integer");
    this.#reserve(MAX_VARINT_BYTES);
    let rest = value;
    for (; rest > MAX_INT32; rest = Math.floor(rest / 0x80)) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    }
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  /** Appends an unsigned 64-bit value. */
  bigVarint(value: bigint): void {
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return this.varint(Number(value));
    assert(value >= 0n && value < 1n << 64n, "a varint has at most 64 bits");
    this.#reserve(MAX_VARINT_BYTES);
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  /** Appends a signed safe integer, zigzag coded. */
  signedNumber(value: number): void {
    if (Math.abs(value) >= MAX_ZIGZAG) this.signed(BigInt(value));
    else this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Appends a signed 64-bit value, zigzag coded. */
  signed(value: bigint): void {
    this.bigVarint(value < 0n ? (-value << 1n) - 1n : value << 1n);
  }

  /** Appends bytes from `start` on. */
  raw(bytes: Uint8Array, start = 0): void {
    const count = bytes.length - start;
    this.#reserve(count);
    // A loop for the few bytes that most calls bring: a view for `set` costs more.
    if (start > 0) {
      for (let at = 0; at < count; at++) this.#bytes[this.#length + at] = bytes[start + at] ?? 0;
    } else this.#bytes.set(bytes, this.#length);
    this.#length += count;
  }

  /** Appends what another one has, without a copy in between. */
  append(other: ByteWriter): void {
    const count = other.#length;
    this.#reserve(count);
    for (let at = 0; at < count; at++) this.#bytes[this.#length + at] = other.#bytes[at] as number;
    this.#length += count;
  }

  /** True when what was written is the bytes from `start` to `end`. */
  isEqual(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== this.#length) return false;
    for (let at = 0; at < this.#length; at++) {
      if (this.#bytes[at] !== bytes[start + at]) return false;
    }
    return true;
  }

  /** Forgets what was written and keeps the buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what ByteWriter wrote. Every method throws AgentError `damaged` at a bad byte. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #name: string;
  #at: number;

  /** `name` stands in the error messages. */
  constructor(bytes: Uint8Array, name: string, at = 0) {
    this.#bytes = bytes;
    this.#name = name;
    this.#at = at;
  }

  /** Where the next byte lies. */
  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** A varint that must be a safe integer of at most `max`. */
  varint(what: string, max: number): number {
    const small = this.#small();
    if (small >= 0 && small <= max) return small;
    const value = small >= 0 ? small : this.#exact(what);
    if (value > max) throw this.damaged(`${what} ${value}, need at most ${max}`);
    return Number(value);
  }

  /** An unsigned varint of at most 64 bits, in shortest form. */
  bigVarint(what: string): bigint {
    const small = this.#small();
    return small >= 0 ? BigInt(small) : this.#exact(what);
  }

  /** The varint here as far as a number holds it surely; -1, and no step, for what it may not. */
  #small(): number {
    let value = 0;
    let scale = 1;
    for (let at = this.#at, count = 0; count < SMALL_BYTES; at++, count++) {
      const byte = this.#bytes[at];
      if (byte === undefined || (byte === 0 && count > 0)) return -1;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte >= 0x80) continue;
      this.#at = at + 1;
      return value;
    }
    return -1;
  }

  #exact(what: string): bigint {
    let low = 0;
    let scale = 1;
    let high = 0n;
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw this.damaged(`the end inside ${what}, need more bytes`);
      if (count < 7) {
        low += (byte & 0x7f) * scale;
        scale *= 0x80;
      } else {
        high |= BigInt(byte & 0x7f) << BigInt(7 * count);
      }
      if (byte >= 0x80) continue;
      if (byte === 0 && count > 0) throw this.damaged(`${what} padded, need the shortest form`);
      const value = high === 0n ? BigInt(low) : high + BigInt(low);
      if (value >= 1n << 64n) break;
      return value;
    }
    throw this.damaged(`${what} of more than 64 bits, need fewer`);
  }

  /** A zigzag-coded signed value. */
  signed(what: string): bigint {
    const small = this.#small();
    if (small >= 0) return BigInt(small % 2 === 0 ? small / 2 : -(small + 1) / 2);
    const coded = this.#exact(what);
    return (coded & 1n) === 0n ? coded >> 1n : -((coded + 1n) >> 1n);
  }

  /** The next `count` bytes, not copied. */
  raw(what: string, count: number): Uint8Array {
    if (count > this.left) {
      throw this.damaged(`${what} of ${count} bytes, need at most the ${this.left} left`);
    }
    const from = this.#at;
    this.#at += count;
    return this.#bytes.subarray(from, this.#at);
  }

  /** Passes over the next `count` bytes. */
  skip(what: string, count: number): void {
    if (count > this.left) {
      throw this.damaged(`${what} of ${count} bytes, need at most the ${this.left} left`);
    }
    this.#at += count;
  }

  damaged(found: string): AgentError {
    return new AgentError("damaged", `Cannot read ${this.#name}: found ${found}`, {
      hint: "Run `agent verify` to find the damaged media.",
    });
  }
}
