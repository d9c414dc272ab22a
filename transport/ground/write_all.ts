// Writing all of a buffer to a stream whose writes accept any prefix.

import type { Conn, WaitOptions } from "../conn.ts";

/** The part of a connection that writing needs. */
export type Writable = Pick<Conn, "write">;

/**
 * Writes all of `from`; it may be changed by the caller when the promise resolves.
 * @throws what `write` throws; an unknown prefix was sent then
 */
export async function writeAll(
  conn: Writable,
  from: Uint8Array,
  options: WaitOptions = {},
): Promise<void> {
  let done = 0;
  while (done < from.length) {
    done += await conn.write(done === 0 ? from : from.subarray(done), options);
  }
}
