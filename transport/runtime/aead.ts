// ChaCha20-Poly1305 (RFC 8439) without additional data, the cipher of the age format: one interface
// and three engines, of which open_aead.ts takes the fastest that works here.
//
//   engine      where it works                    GB/s, measured: Deno  Bun
//   libcrypto   wherever there is OpenSSL 3                       1.46  1.49
//   node        Deno (Bun's node:crypto has no such cipher)       0.2 to 0.6
//   portable    everywhere                                        0.03  0.09
//
// Synchronous: it belongs on a job's worker thread. Callers never use a nonce twice with a key.

export const AEAD_KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 12;
export const AEAD_TAG_BYTES = 16;

/** What one call encrypts with. */
export interface AeadKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

export interface Aead {
  readonly engine: "libcrypto" | "node" | "portable";
  /** Writes ciphertext and tag, `plain.length + AEAD_TAG_BYTES` bytes, to the start of `into`. */
  seal(by: AeadKey, plain: Uint8Array, into: Uint8Array): void;
  /**
   * Writes the plaintext of ciphertext and tag to the start of `into`.
   * @returns false when the tag is not theirs; what is in `into` then must not be used
   */
  open(by: AeadKey, sealed: Uint8Array, into: Uint8Array): boolean;
}
