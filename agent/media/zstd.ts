// One zstd frame of tar bytes: content checksum (XXH64) and content size in every frame, so that
// stock `zstd -t` proves the media and a reader knows the size before it decompresses.
//
// Synchronous: measured, the asynchronous call blocks the event loop as long as this one; it
// belongs on the job's worker thread. The size is pledged because Deno leaves it out otherwise
// (measured: its frame header has no content size without `pledgedSrcSize`, Bun's always has one).

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { ZstdOptions } from "node:zlib";
import { AgentError } from "../../transport/ground/error.ts";

const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_C_CHECKSUM_FLAG = 201;

/** Smallest chunk that node:zlib takes, bytes. */
const MIN_CHUNK_BYTES = 64;

/** Compresses `tar` into one complete zstd frame at `level` (1 to 19). */
export function compressFrame(tar: Uint8Array, level: number): Uint8Array {
  const options: ZstdOptions & { readonly pledgedSrcSize: number } = {
    // Room for the worst case: when the output needs a second chunk Deno appends an empty second
    // frame (measured: 318 of 400 random inputs, none with this).
    chunkSize: tar.length + (tar.length >> 7) + 1024,
    params: { [ZSTD_C_COMPRESSION_LEVEL]: level, [ZSTD_C_CHECKSUM_FLAG]: 1 },
    pledgedSrcSize: tar.length,
  };
  return zstdCompressSync(tar, options);
}

/**
 * The content of `frame`, which must be exactly `expectedBytes` long; a frame that grows beyond it
 * is stopped there and never held in memory.
 * @throws AgentError `damaged`
 */
export function decompressFrame(frame: Uint8Array, expectedBytes: number): Uint8Array {
  let content: Uint8Array;
  try {
    content = zstdDecompressSync(frame, {
      // One chunk for all, with room to see the end: the default of 16 KiB makes twice the garbage.
      chunkSize: expectedBytes + MIN_CHUNK_BYTES,
      maxOutputLength: Math.max(1, expectedBytes),
    });
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw damaged(found, expectedBytes, cause);
  }
  if (content.length !== expectedBytes) {
    throw damaged(`${content.length} bytes`, expectedBytes, undefined);
  }
  return content;
}

function damaged(found: string, expectedBytes: number, cause: unknown): AgentError {
  const message = `Cannot decompress frame: found ${found}, need ${expectedBytes} bytes of content`;
  return new AgentError("damaged", message, {
    cause,
    hint: "Run `agent verify` to find the damaged media.",
  });
}
