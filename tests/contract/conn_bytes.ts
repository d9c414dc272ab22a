// Seeded random bytes for streams, and what the tests do with streams again and again. The same
// seed gives the same bytes and the same cuts, so that a failure can be replayed.

import { env } from "node:process";
import type { Conn } from "../../transport/conn.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import { writeAll } from "../../transport/ground/write_all.ts";

const BLOCK_BYTES = 1024 * 1024;
const DEFAULT_STREAM_BYTES = 64 * 1024 * 1024;

/** A generator of 32-bit numbers (xorshift32); seed 0 is taken as 1. */
export function seededNumbers(seed: number): () => number {
  let state = (seed >>> 0) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** `count` random bytes of this seed. */
export function seededBytes(seed: number, count: number): Uint8Array<ArrayBuffer> {
  const next = seededNumbers(seed);
  const words = new Uint32Array(Math.ceil(count / 4));
  for (let index = 0; index < words.length; index++) words[index] = next();
  return new Uint8Array(words.buffer, 0, count);
}

/** Size of the long stream: CONFORMANCE_BYTES of the environment, else 64 MiB. */
export function streamBytes(): number {
  const text = env["CONFORMANCE_BYTES"];
  if (text === undefined || text === "") return DEFAULT_STREAM_BYTES;
  const bytes = Number(text);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new Error(`CONFORMANCE_BYTES: found "${text}", need a count of bytes`);
}

/** Writes `count` random bytes in random pieces, then ends the direction. @returns their CRC */
export async function sendSeeded(conn: Conn, seed: number, count: number): Promise<number> {
  const block = seededBytes(seed, BLOCK_BYTES);
  const next = seededNumbers(seed + 1);
  let crc = 0;
  for (let sent = 0; sent < count;) {
    const start = next() % (BLOCK_BYTES / 2);
    const size = Math.min(count - sent, 1 + next() % (BLOCK_BYTES / 2));
    const piece = block.subarray(start, start + size);
    crc = crc32(piece, crc);
    await writeAll(conn, piece);
    sent += size;
  }
  await conn.closeWrite();
  return crc;
}

/** Reads to the end with buffers of changing size. */
export async function receiveAll(conn: Conn, seed = 7): Promise<{ count: number; crc: number }> {
  const buffer = new Uint8Array(BLOCK_BYTES / 2);
  const next = seededNumbers(seed);
  let [count, crc] = [0, 0];
  for (;;) {
    const size = 1 + next() % buffer.length;
    const read = await conn.read(buffer.subarray(0, size));
    if (read === null) return { count, crc };
    crc = crc32(buffer.subarray(0, read), crc);
    count += read;
  }
}

/** The code of the AgentError that `wait` rejects with; "none" when it does not. */
export async function rejectionCode(wait: Promise<unknown>): Promise<string> {
  try {
    await wait;
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown.code;
    throw thrown;
  }
  return "none";
}
