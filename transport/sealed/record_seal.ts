// One direction of an encrypted stream as records. Pure but for the cipher that it is handed.
//
//   0  u32 little-endian: bytes of plaintext n, 0 to PLAIN_BYTES_MAX
//   4  n bytes of ciphertext
//   4+n  16 bytes: tag
//
// The cipher is ChaCha20-Poly1305 (runtime/aead.ts). The nonce is the record's number, u64
// little-endian, and 4 zeros; each key is used for one direction of one connection.
//
// Invariants:
//  1. A record that was changed, repeated, left out or moved does not open: its number is not in
//     it, but counted at both ends. The same for its length, which decides what is opened.
//  2. An empty record ends the stream: a stream that was cut off is told from one that ended.

import { assert } from "../ground/assert.ts";
import { type Aead, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from "../runtime/mod.ts";
import { PLAIN_BYTES_MAX, RECORD_HEAD_BYTES } from "./limits.ts";

/** Counts the records of one direction. */
class Nonces {
  readonly #bytes = new Uint8Array(AEAD_NONCE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #count = 0n;

  next(): Uint8Array {
    this.#view.setBigUint64(0, this.#count, true);
    this.#count += 1n;
    return this.#bytes;
  }
}

export class RecordSealer {
  readonly #aead: Aead;
  readonly #key: Uint8Array;
  readonly #nonces = new Nonces();

  constructor(aead: Aead, key: Uint8Array) {
    this.#aead = aead;
    this.#key = key;
  }

  /** Writes the next record to the start of `into`. @returns its bytes */
  seal(plain: Uint8Array, into: Uint8Array): number {
    assert(plain.length <= PLAIN_BYTES_MAX, "a record has a largest size");
    new DataView(into.buffer, into.byteOffset).setUint32(0, plain.length, true);
    const sealed = into.subarray(RECORD_HEAD_BYTES);
    this.#aead.seal({ key: this.#key, nonce: this.#nonces.next() }, plain, sealed);
    return RECORD_HEAD_BYTES + plain.length + AEAD_TAG_BYTES;
  }
}

export class RecordOpener {
  readonly #aead: Aead;
  readonly #key: Uint8Array;
  readonly #nonces = new Nonces();

  constructor(aead: Aead, key: Uint8Array) {
    this.#aead = aead;
    this.#key = key;
  }

  /** Plaintext bytes of the record with this head; null when there is no such record. */
  plainBytes(head: Uint8Array): number | null {
    const count = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
    return count <= PLAIN_BYTES_MAX ? count : null;
  }

  /**
   * Writes the plaintext of the next record to the start of `into`.
   * @param sealed ciphertext and tag
   * @returns false when it is not the next record; what is in `into` then must not be used
   */
  open(sealed: Uint8Array, into: Uint8Array): boolean {
    return this.#aead.open({ key: this.#key, nonce: this.#nonces.next() }, sealed, into);
  }
}
