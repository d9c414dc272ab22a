// Bytes as lower-case hexadecimal text and back: tokens, uuids, checksums in messages and files.

import { AgentError } from "./error.ts";

/** Two lower-case digits a byte. */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** @throws AgentError `damaged` when `text` is not an even count of hexadecimal digits */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new AgentError(
      "damaged",
      `Cannot decode "${text.slice(0, 64)}": found other characters, need hexadecimal digits`,
    );
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  }
  return bytes;
}
