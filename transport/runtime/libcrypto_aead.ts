// ChaCha20-Poly1305 by the system's OpenSSL 3, called by FFI (aead.ts). Two fillings:
// deno_libcrypto.ts and bun_libcrypto.ts.
//
// Invariants: lengths are below 2^31; one context serves all calls of a thread and lives as long;
// every step answers 1, or the call is taken as failed.

import { assert } from "../ground/assert.ts";
import { type Aead, AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from "./aead.ts";

/** The name under which the dynamic linker finds OpenSSL 3. */
export const LIBCRYPTO_NAME = "libcrypto.so.3";

/** Calls of EVP_Cipher… with a context and the cipher filled in; 1 is success. */
export interface Libcrypto {
  init(key: Uint8Array, nonce: Uint8Array, encrypt: 0 | 1): number;
  update(into: Uint8Array, length: Uint8Array, from: Uint8Array, count: number): number;
  final(into: Uint8Array, length: Uint8Array): number;
  control(command: number, count: number, bytes: Uint8Array): number;
}

const GET_TAG = 0x10;
const SET_TAG = 0x11;

export function libcryptoAead(c: Libcrypto): Aead {
  // Where OpenSSL writes counts and nothing else: a stream cipher ends without further bytes.
  const length = new Uint8Array(4);
  const nothing = new Uint8Array(AEAD_TAG_BYTES);
  const start = (key: Uint8Array, nonce: Uint8Array, encrypt: 0 | 1) => {
    assert(key.length === AEAD_KEY_BYTES && nonce.length === AEAD_NONCE_BYTES, "sizes of RFC 8439");
    assert(c.init(key, nonce, encrypt) === 1, "libcrypto takes key and nonce");
  };
  return {
    engine: "libcrypto",
    seal({ key, nonce }, plain, into) {
      assert(into.length >= plain.length + AEAD_TAG_BYTES, "ciphertext and tag have room");
      start(key, nonce, 1);
      // An empty update would count as the end of additional text.
      const updated = plain.length === 0 || c.update(into, length, plain, plain.length) === 1;
      const tag = into.subarray(plain.length, plain.length + AEAD_TAG_BYTES);
      const ended = c.final(nothing, length) === 1 && c.control(GET_TAG, tag.length, tag) === 1;
      assert(updated && ended, "libcrypto encrypts what fits");
    },
    open({ key, nonce }, sealed, into) {
      const end = sealed.length - AEAD_TAG_BYTES;
      assert(end >= 0 && into.length >= end, "the plaintext has room");
      start(key, nonce, 0);
      const updated = end === 0 || c.update(into, length, sealed, end) === 1;
      const tagged = c.control(SET_TAG, AEAD_TAG_BYTES, sealed.subarray(end)) === 1;
      return updated && tagged && c.final(nothing, length) === 1;
    },
  };
}
