// Decompresses a zstd frame piece by piece: fresh memory for all of its content costs many times
// the work where the kernel is slow to give it (measured under Bun).
//
// Deno throws what a decompressing stream finds wrong from a tick of its own, where nobody can
// catch it (measured). There all of the content is one piece.

import { createZstdDecompress, zstdDecompressSync } from "node:zlib";
import { dropBytes } from "../ground/byte_pool.ts";

/** Bytes of a piece, which stay in the processor's cache. */
const PIECE_BYTES = 256 * 1024;

/** Room to see that the content ends. */
const END_BYTES = 64;

/**
 * @param take is given each piece, which is valid for the call only; what it throws ends the work
 * @returns bytes of the content
 * @throws Error for more than `bytesMax`, and for what is damaged; a frame that ends too early is
 * not told from a whole one
 */
export function zstdPieces(
  frame: Uint8Array,
  bytesMax: number,
  take: (piece: Uint8Array) => void,
): Promise<number> {
  return typeof Bun === "undefined" ? inOne(frame, bytesMax, take) : inMany(frame, bytesMax, take);
}

async function inOne(
  frame: Uint8Array,
  bytesMax: number,
  take: (piece: Uint8Array) => void,
): Promise<number> {
  await Promise.resolve();
  const options = { chunkSize: bytesMax + END_BYTES, maxOutputLength: Math.max(1, bytesMax) };
  const content = zstdDecompressSync(frame, options);
  const { length } = content;
  take(content);
  dropBytes(content);
  return length;
}

function inMany(
  frame: Uint8Array,
  bytesMax: number,
  take: (piece: Uint8Array) => void,
): Promise<number> {
  const stream = createZstdDecompress({ chunkSize: PIECE_BYTES });
  let count = 0;
  return new Promise((resolve, reject) => {
    stream.on("data", (piece: Uint8Array) => {
      try {
        count += piece.length;
        if (count > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
        take(piece);
        // Of a buffer that is not full the stream still uses the rest.
        if (piece.length === PIECE_BYTES) dropBytes(piece);
      } catch (error) {
        stream.destroy();
        reject(error);
      }
    });
    stream.on("error", reject);
    stream.on("end", () => resolve(count));
    stream.end(frame);
  });
}
