// Text and bytes of a UUID (RFC 9562). Pure: the random bytes are handed in.

import { assert } from "../transport/ground/assert.ts";

/** Makes a version 4 UUID of 16 random bytes. */
export function makeUuid(random: Uint8Array): string {
  const bytes = Uint8Array.from(random);
  assert(bytes.length === 16, "a UUID has 16 bytes");
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytesToUuid(bytes);
}

/** 8-4-4-4-12 hexadecimal digits. */
export function bytesToUuid(bytes: Uint8Array): string {
  assert(bytes.length === 16, "a UUID has 16 bytes");
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

export function uuidToBytes(uuid: string): Uint8Array {
  const hex = uuid.replaceAll("-", "");
  assert(/^[0-9a-f]{32}$/.test(hex), "a UUID has 32 hexadecimal digits");
  return Uint8Array.from(
    { length: 16 },
    (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16),
  );
}
