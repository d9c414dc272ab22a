// Shared memory of a test: a plain buffer of this process.

import type { SharedMemory } from "../../../transport/runtime/runtime.ts";

export function plainMemory(sizeBytes: number): SharedMemory {
  const bytes = new Uint8Array(sizeBytes);
  const words = new Int32Array(bytes.buffer);
  return {
    sizeBytes,
    read: (offsetBytes, into) => into.set(bytes.subarray(offsetBytes, offsetBytes + into.length)),
    write: (offsetBytes, from) => bytes.set(from, offsetBytes),
    load32: (offsetBytes) => (words[offsetBytes / 4] ?? 0) >>> 0,
    store32: (offsetBytes, value) => {
      words[offsetBytes / 4] = value;
    },
    close: () => undefined,
  };
}
