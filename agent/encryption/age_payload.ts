// The payload of an age file (C2SP age.md): a nonce, then chunks of ChaCha20-Poly1305.
//
//   offset  bytes
//   0       16     nonce
//   16      65552  chunk: 65536 bytes of content, 16 of tag
//   …              further chunks; the last has 1 to 65536 bytes of content, or none when there is
//                  no content at all
//
// The key is HKDF-SHA-256 of the file key with the nonce as salt; the nonce of a chunk is its
// number (11 bytes, big-endian) and 1 for the last one, else 0: chunks that are cut off, repeated
// or moved show. Synchronous, in memory: frames are small.

import { hkdfSync } from "node:crypto";
import { type Aead, AEAD_NONCE_BYTES, type AeadKey } from "../../transport/mod.ts";
import { CHUNK_BYTES, NONCE_BYTES, TAG_BYTES } from "./limits.ts";

const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
const KEY_BYTES = 32;

/** Size of the payload of so much content. */
export function payloadBytes(contentBytes: number): number {
  const chunks = Math.max(1, Math.ceil(contentBytes / CHUNK_BYTES));
  return NONCE_BYTES + contentBytes + chunks * TAG_BYTES;
}

/**
 * Writes the payload of `content` into `into`, which has `payloadBytes` of it.
 * @param nonce 16 random bytes
 */
export function sealPayload(
  aead: Aead,
  keys: { readonly fileKey: Uint8Array; readonly nonce: Uint8Array },
  content: Uint8Array,
  into: Uint8Array,
): void {
  into.set(keys.nonce);
  const key = payloadKey(keys);
  for (let chunk = 0, at = 0; at < content.length || chunk === 0; chunk++) {
    const part = content.subarray(at, at + CHUNK_BYTES);
    at += CHUNK_BYTES;
    const by = chunkKey(key, chunk, at >= content.length);
    aead.seal(by, part, into.subarray(NONCE_BYTES + chunk * SEALED_CHUNK_BYTES));
  }
}

/** @returns the content, or null when the payload is not as it was made */
export function openPayload(
  aead: Aead,
  fileKey: Uint8Array,
  payload: Uint8Array,
): Uint8Array | null {
  const sealed = payload.subarray(NONCE_BYTES);
  const chunks = Math.ceil(sealed.length / SEALED_CHUNK_BYTES);
  const lastBytes = sealed.length - (chunks - 1) * SEALED_CHUNK_BYTES;
  if (chunks === 0 || lastBytes < TAG_BYTES || (lastBytes === TAG_BYTES && chunks > 1)) return null;
  const key = payloadKey({ fileKey, nonce: payload.subarray(0, NONCE_BYTES) });
  const content = new Uint8Array(sealed.length - chunks * TAG_BYTES);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const at = chunk * SEALED_CHUNK_BYTES;
    const part = sealed.subarray(at, at + SEALED_CHUNK_BYTES);
    const by = chunkKey(key, chunk, chunk === chunks - 1);
    if (!aead.open(by, part, content.subarray(chunk * CHUNK_BYTES))) return null;
  }
  return content;
}

function payloadKey(
  { fileKey, nonce }: { readonly fileKey: Uint8Array; readonly nonce: Uint8Array },
): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", fileKey, nonce, "payload", KEY_BYTES));
}

function chunkKey(key: Uint8Array, chunk: number, isLast: boolean): AeadKey {
  const nonce = new Uint8Array(AEAD_NONCE_BYTES);
  // Numbers of chunks fit 32 bits by far; the bytes before them are 0.
  new DataView(nonce.buffer).setUint32(AEAD_NONCE_BYTES - 5, chunk);
  nonce[AEAD_NONCE_BYTES - 1] = isLast ? 1 : 0;
  return { key, nonce };
}
