// zstd frames of a job, compressed and decompressed beside its event loop under Bun, on a pool of
// threads, one for each processor. Deno has no such pool: there they take the calling thread.
//
// Under Bun a stream of node:zlib is used for one frame after another and wound back between them:
// fresh memory for each costs 40 % more (measured). One that does not show that it can be wound
// back, or that failed, serves no other. Under Deno none is: the second frame that it compresses
// comes without a content size (measured).
//
// Invariants: a stream has one frame at a time and room for all that it gives, in the worst case;
// what is given out is a copy in memory of the pool (`freeBytes`). Several calls at once are
// allowed; their input must stay as it is meanwhile.

import {
  createZstdCompress,
  createZstdDecompress,
  type ZstdCompress,
  type ZstdDecompress,
} from "node:zlib";
import { assert } from "../../transport/ground/assert.ts";
import { copyBytes, dropBytes } from "../../transport/ground/byte_pool.ts";
import { asDamage, checkedContent, compressing, decompressFrame, decompressing } from "./zstd.ts";
import { checkZstdFrame } from "./zstd_frame.ts";

const ZSTD_E_END = 2;

/** Where a stream of node:zlib stands in the memory that it writes to. */
const OUT_OFFSET = "_outOffset";

/** Streams that wait for the next frame, of each kind: as many as a job has in work. */
const IDLE_MAX = 9;

/** A stream, and for what it was made. */
interface Lane {
  readonly stream: ZstdCompress | ZstdDecompress;
  readonly contentBytes: number;
  readonly level: number;
}

const compressors: Lane[] = [];
const decompressors: Lane[] = [];

/** Compresses `content`, of one byte or more, into one complete zstd frame at `level` (1 to 19). */
export function compressFrameAside(content: Uint8Array, level: number): Promise<Uint8Array> {
  assert(content.length > 0, "a frame has content");
  const lane = takeLane(compressors, content.length, level) ?? newCompressor(content.length, level);
  return runLane(compressors, lane, content);
}

/**
 * The content of `frame`, as `decompressFrame` gives it.
 * @throws AgentError `damaged`
 */
export async function decompressFrameAside(
  frame: Uint8Array,
  expectedBytes: number,
): Promise<Uint8Array> {
  try {
    // One that is cut, or is two, would leave its stream in the middle of something.
    checkZstdFrame(frame);
    if (typeof Bun === "undefined") return await decompressHere(frame, expectedBytes);
    const lane = takeLane(decompressors, expectedBytes, 0) ?? newDecompressor(expectedBytes);
    return checkedContent(await runLane(decompressors, lane, frame), expectedBytes);
  } catch (error) {
    throw asDamage(error, expectedBytes);
  }
}

/** Deno's asynchronous call throws what is wrong where nobody can catch it (measured). */
async function decompressHere(frame: Uint8Array, expectedBytes: number): Promise<Uint8Array> {
  await Promise.resolve();
  const content = decompressFrame(frame, expectedBytes);
  const copy = copyBytes(content);
  dropBytes(content);
  return copy;
}

function newCompressor(contentBytes: number, level: number): Lane {
  // Told to end the frame with its first bytes, it compresses them in one call (measured: two
  // calls take a third more time).
  const options = { ...compressing(contentBytes, level), flush: ZSTD_E_END };
  return { stream: createZstdCompress(options), contentBytes, level };
}

function newDecompressor(contentBytes: number): Lane {
  const stream = createZstdDecompress(decompressing(contentBytes));
  // Looked at between any two chunks: what goes on growing is never held.
  stream.on("readable", () => {
    if (stream.readableLength > contentBytes) stream.destroy(new Error("more than its content"));
  });
  return { stream, contentBytes, level: 0 };
}

/** One that is idle and has the room; it is wound back. */
function takeLane(idle: Lane[], contentBytes: number, level: number): Lane | null {
  const lane = idle.pop();
  if (lane === undefined) return null;
  if (lane.contentBytes >= contentBytes && lane.level === level) {
    Reflect.set(lane.stream, OUT_OFFSET, 0);
    return lane;
  }
  lane.stream.destroy();
  return null;
}

async function runLane(idle: Lane[], lane: Lane, from: Uint8Array): Promise<Uint8Array> {
  let again = false;
  try {
    const given = await giveAll(lane.stream, from);
    const copy = copyBytes(given);
    again = idle.length < IDLE_MAX && isBehind(lane.stream, given);
    return copy;
  } finally {
    if (again) idle.push(lane);
    else lane.stream.destroy();
  }
}

/** @returns what the stream makes of `from`, in its own memory */
function giveAll(stream: Lane["stream"], from: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(from, () => {
      stream.off("error", reject);
      const given: Uint8Array | null = stream.read();
      if (given === null) reject(new Error("zstd gave nothing for a frame"));
      else resolve(given);
    });
  });
}

/** True when the stream stands right behind what it gave, in memory that can be used again. */
function isBehind(stream: Lane["stream"], given: Uint8Array): boolean {
  return typeof Bun !== "undefined" && Reflect.get(stream, OUT_OFFSET) === given.length;
}
