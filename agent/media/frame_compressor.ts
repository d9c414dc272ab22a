// Makes the zstd frames of a job beside its thread, several at once.
//
// A stream that is told to end a frame with each of its writes makes frame after frame in the same
// memory: a new one for each frame costs a seventh of the compression in pages that are cleared and
// mapped again (measured). One write is one call of zstd without a copy; the convenience call makes
// two and takes a third more time.
//
// Invariants:
//  1. A stream makes one frame at a time, and each frame fits what is left of the stream's chunk:
//     a second chunk would make two pieces, and an empty second frame under Deno.
//  2. Every frame has its content size. A runtime that puts it there only when it is pledged, once
//     in the life of a stream, gets a stream for each frame.

import { createZstdCompress, zstdCompressSync } from "node:zlib";
import { assert } from "../../transport/ground/assert.ts";
import { COMPRESSED_CHUNK_BYTES } from "./limits.ts";
import { boundBytes, frameParams, hasContentSize, type Pledging } from "./zstd.ts";

const ZSTD_E_END = 2;

/** A stream, and how many bytes of its chunk are free. */
interface Working {
  readonly stream: ReturnType<typeof createZstdCompress>;
  freeBytes: number;
}

export class FrameCompressor implements Disposable {
  readonly #level: number;
  readonly #idle: Working[] = [];
  readonly #isLasting: boolean;
  #isClosed = false;

  /** @param level 1 to 19 */
  constructor(level: number) {
    this.#level = level;
    const probe = zstdCompressSync(Uint8Array.of(0), { params: frameParams(level) });
    this.#isLasting = hasContentSize(probe);
  }

  /**
   * Compresses `tar`, of one byte or more, into one complete zstd frame. Bun does that on a pool of
   * threads, one for each processor; Deno on the calling thread, no faster and no slower than a
   * synchronous call (measured). `tar` must stay as it is meanwhile.
   */
  async compress(tar: Uint8Array): Promise<Uint8Array> {
    assert(tar.length > 0, "a frame has content");
    const working = this.#take(tar.length);
    const frame = await compressBy(working, tar);
    if (!this.#isLasting) {
      working.stream.destroy();
      return frame.slice(); // It lies in memory for the worst case.
    }
    this.#idle.push(working);
    if (this.#isClosed) this.close();
    return frame;
  }

  /** Frees what is idle now, and the rest when its frame is done. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const { stream } of this.#idle.splice(0)) stream.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(tarBytes: number): Working {
    const neededBytes = boundBytes(tarBytes);
    const idle = this.#idle.pop();
    if (idle !== undefined && idle.freeBytes >= neededBytes) return idle;
    idle?.stream.destroy();
    const chunkSize = this.#isLasting ? Math.max(neededBytes, COMPRESSED_CHUNK_BYTES) : neededBytes;
    const options: Pledging & { readonly readableHighWaterMark: number } = {
      chunkSize,
      params: frameParams(this.#level),
      flush: ZSTD_E_END,
      readableHighWaterMark: 2 * chunkSize, // A frame waits in it as one piece.
      ...(this.#isLasting ? {} : { pledgedSrcSize: tarBytes }),
    };
    return { stream: createZstdCompress(options), freeBytes: chunkSize };
  }
}

function compressBy(working: Working, tar: Uint8Array): Promise<Uint8Array> {
  const { stream } = working;
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(tar, () => {
      stream.off("error", reject);
      const frame: Uint8Array | null = stream.read();
      if (frame === null) return reject(new Error("zstd gave nothing for a frame"));
      working.freeBytes -= frame.length;
      resolve(frame);
    });
  });
}
