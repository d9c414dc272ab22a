// Reading a count of bytes from a stream whose reads return any part: for headers and records.
//
// The count must have been checked against a limit by the caller: it is allocated at once.

import type { Conn, WaitOptions } from "../conn.ts";
import { assert } from "./assert.ts";
import { AgentError } from "./error.ts";

/** The part of a connection that reading needs. */
export type Readable = Pick<Conn, "read">;

/**
 * Reads exactly `count` bytes.
 * @throws AgentError `reset` when the stream ends before, and what `read` throws
 * @example const header = await readExactly(conn, 32, { signal });
 */
export async function readExactly(
  conn: Readable,
  count: number,
  options: WaitOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  assert(Number.isSafeInteger(count) && count >= 0, "count of bytes to read is a size");
  const bytes = new Uint8Array(count);
  await readFull(conn, bytes, options);
  return bytes;
}

/**
 * Fills `into` completely.
 * @throws AgentError `reset` when the stream ends before, and what `read` throws
 */
export async function readFull(
  conn: Readable,
  into: Uint8Array,
  options: WaitOptions = {},
): Promise<void> {
  if (await readFullOrEnd(conn, into, options)) return;
  if (into.length === 0) return;
  throw shortStream(0, into.length);
}

/**
 * Fills `into` completely, or finds the stream ended before its first byte.
 * @returns false at a clean end of stream
 * @throws AgentError `reset` when the stream ends in the middle, and what `read` throws
 */
export async function readFullOrEnd(
  conn: Readable,
  into: Uint8Array,
  options: WaitOptions = {},
): Promise<boolean> {
  let done = 0;
  while (done < into.length) {
    const count = await conn.read(done === 0 ? into : into.subarray(done), options);
    if (count === null) {
      if (done === 0) return false;
      throw shortStream(done, into.length);
    }
    done += count;
  }
  return true;
}

function shortStream(found: number, wanted: number): AgentError {
  return new AgentError(
    "reset",
    `Cannot read from the connection: the peer ended it after ${found} bytes of a message, ` +
      `need ${wanted}`,
    { hint: "Look at the log of the other host: its agent may have ended." },
  );
}
