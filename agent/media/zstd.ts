// One zstd frame of tar bytes: content checksum (XXH64) and content size in every frame, so that
// stock `zstd -t` proves the media and a reader knows the size before it decompresses.
//
// The frames of a job are compressed by zstd_aside.ts. The size is pledged because Deno leaves
// it out otherwise (measured: its frame header has no content size without `pledgedSrcSize`, Bun's
// always has one).

import { zstdCompressSync, zstdDecompressSync, type ZstdOptions } from "node:zlib";
import { AgentError } from "../../transport/ground/error.ts";
import { zstdPieces } from "../../transport/runtime/zstd_pieces.ts";

const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_C_CHECKSUM_FLAG = 201;

/** Smallest chunk that node:zlib takes, bytes. */
const MIN_CHUNK_BYTES = 64;

/** Compresses `tar` into one complete zstd frame at `level` (1 to 19). */
export function compressFrame(tar: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(tar, compressing(tar.length, level));
}

/** Of node:zlib's streams, too: its type has only some of them. */
type StreamOptions = ZstdOptions & {
  readonly pledgedSrcSize?: number;
  readonly readableHighWaterMark: number;
};

/** What makes one frame of `contentBytes`, or of fewer, of a stream or a single call. */
export function compressing(contentBytes: number, level: number): StreamOptions {
  // Room for the worst case: when the output needs a second chunk Deno appends an empty second
  // frame (measured: 318 of 400 random inputs, none with this).
  const chunkSize = contentBytes + (contentBytes >> 7) + 1024;
  return {
    chunkSize,
    params: { [ZSTD_C_COMPRESSION_LEVEL]: level, [ZSTD_C_CHECKSUM_FLAG]: 1 },
    pledgedSrcSize: contentBytes,
    // For a stream: the frame waits in it as one piece.
    readableHighWaterMark: chunkSize,
  };
}

/**
 * The content of `frame`, which must be exactly `expectedBytes` long; a frame that grows beyond it
 * is stopped there and never held in memory.
 * @throws AgentError `damaged`
 */
export function decompressFrame(frame: Uint8Array, expectedBytes: number): Uint8Array {
  try {
    return checkedContent(zstdDecompressSync(frame, decompressing(expectedBytes)), expectedBytes);
  } catch (error) {
    throw asDamage(error, expectedBytes);
  }
}

/**
 * The content of `frame`, which is a whole one (`checkZstdFrame`), piece by piece, for what is
 * looked at or written once. Its checksum is proved when this resolves, not before.
 * @param take is given each piece, which is valid for the call only; what it throws ends the work
 * @throws AgentError `damaged`
 */
export async function decompressInPieces(
  frame: Uint8Array,
  expectedBytes: number,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  let thrown: unknown = null;
  const taking = (piece: Uint8Array) => {
    try {
      take(piece);
    } catch (error) {
      throw thrown = error;
    }
  };
  let count = 0;
  try {
    count = await zstdPieces(frame, expectedBytes, taking);
  } catch (error) {
    throw error === thrown ? error : asDamage(error, expectedBytes);
  }
  if (count !== expectedBytes) throw damaged(`${count} bytes`, expectedBytes, undefined);
}

/** What gives `expectedBytes` of content, of a stream or a single call. */
export function decompressing(expectedBytes: number): StreamOptions {
  // One chunk for all, with room to see the end: the default of 16 KiB makes twice the garbage.
  const chunkSize = expectedBytes + MIN_CHUNK_BYTES;
  const maxOutputLength = Math.max(1, expectedBytes);
  return { chunkSize, maxOutputLength, readableHighWaterMark: chunkSize };
}

/** @throws AgentError `damaged` for content of another length */
export function checkedContent(content: Uint8Array, expectedBytes: number): Uint8Array {
  if (content.length === expectedBytes) return content;
  throw damaged(`${content.length} bytes`, expectedBytes, undefined);
}

/** What a decompressing library finds wrong, in our words. */
export function asDamage(error: unknown, expectedBytes: number): AgentError {
  if (error instanceof AgentError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return damaged(found, expectedBytes, error);
}

function damaged(found: string, expectedBytes: number, cause: unknown): AgentError {
  const message = `Cannot decompress frame: found ${found}, need ${expectedBytes} bytes of content`;
  return new AgentError("damaged", message, {
    cause,
    hint: "Run `agent verify` to find the damaged media.",
  });
}
