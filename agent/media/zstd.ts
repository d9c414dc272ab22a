// One zstd frame of tar bytes: content checksum (XXH64) and content size in every frame, so that
// stock `zstd -t` proves the media and a reader knows the size before it decompresses.
//
// The asynchronous calls are for the frames of a job: Bun runs them on a pool of threads, one for
// each processor. Deno runs them on the calling thread, no faster and no slower than the
// synchronous ones (measured). The size is pledged because Deno leaves it out otherwise
// (measured: its frame header has no content size without `pledgedSrcSize`, Bun's always has one).

import { promisify } from "node:util";
import {
  createZstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { assert } from "../../transport/ground/assert.ts";
import type { InputType, ZstdOptions } from "node:zlib";
import { AgentError } from "../../transport/ground/error.ts";
import { zstdPieces } from "../../transport/runtime/zstd_pieces.ts";

const ZSTD_C_COMPRESSION_LEVEL = 100;
const ZSTD_C_CHECKSUM_FLAG = 201;
const ZSTD_E_END = 2;

/** Smallest chunk that node:zlib takes, bytes. */
const MIN_CHUNK_BYTES = 64;

const decompressAside: (input: InputType, options: ZstdOptions) => Promise<Uint8Array> = promisify(
  zstdDecompress,
);

/** Compresses `tar` into one complete zstd frame at `level` (1 to 19). */
export function compressFrame(tar: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(tar, compressing(tar, level));
}

/**
 * The same beside the event loop where the runtime can; `tar`, of one byte or more, must stay as it
 * is meanwhile. The stream is told to end the frame with its first bytes: compressed in one call
 * and without a copy (measured: `zstdCompress`, which makes two calls, takes a third more time).
 */
export function compressFrameAside(tar: Uint8Array, level: number): Promise<Uint8Array> {
  assert(tar.length > 0, "a frame has content");
  const options = compressing(tar, level);
  const stream = createZstdCompress({ ...options, flush: ZSTD_E_END });
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.write(tar, () => {
      const frame: Uint8Array | null = stream.read();
      stream.destroy();
      if (frame === null) reject(new Error("zstd gave nothing for a frame"));
      else resolve(frame);
    });
  });
}

function compressing(tar: Uint8Array, level: number): ZstdOptions {
  const options: ZstdOptions & { readonly pledgedSrcSize: number; readableHighWaterMark: number } =
    {
      // Room for the worst case: when the output needs a second chunk Deno appends an empty second
      // frame (measured: 318 of 400 random inputs, none with this).
      chunkSize: tar.length + (tar.length >> 7) + 1024,
      params: { [ZSTD_C_COMPRESSION_LEVEL]: level, [ZSTD_C_CHECKSUM_FLAG]: 1 },
      pledgedSrcSize: tar.length,
      // For the stream: the frame waits in it as one piece.
      readableHighWaterMark: 2 * tar.length + 1024,
    };
  return options;
}

/**
 * The content of `frame`, which must be exactly `expectedBytes` long; a frame that grows beyond it
 * is stopped there and never held in memory.
 * @throws AgentError `damaged`
 */
export function decompressFrame(frame: Uint8Array, expectedBytes: number): Uint8Array {
  try {
    return checked(zstdDecompressSync(frame, decompressing(expectedBytes)), expectedBytes);
  } catch (error) {
    throw asDamage(error, expectedBytes);
  }
}

/** The same beside the event loop where the runtime can; `frame` must stay as it is meanwhile. */
export async function decompressFrameAside(
  frame: Uint8Array,
  expectedBytes: number,
): Promise<Uint8Array> {
  try {
    return checked(await decompressAside(frame, decompressing(expectedBytes)), expectedBytes);
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

function decompressing(expectedBytes: number): ZstdOptions {
  return {
    // One chunk for all, with room to see the end: the default of 16 KiB makes twice the garbage.
    chunkSize: expectedBytes + MIN_CHUNK_BYTES,
    maxOutputLength: Math.max(1, expectedBytes),
  };
}

function checked(content: Uint8Array, expectedBytes: number): Uint8Array {
  if (content.length === expectedBytes) return content;
  throw damaged(`${content.length} bytes`, expectedBytes, undefined);
}

function asDamage(error: unknown, expectedBytes: number): AgentError {
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
