// The web streams of a connection, for code that speaks those.
//
// Invariants: no bytes are read ahead of the consumer beyond one chunk; closing the writable ends
// the outgoing direction, aborting either stream aborts the connection.

import type { Conn } from "../conn.ts";

const CHUNK_BYTES = 64 * 1024;

export function readableOf(conn: Conn): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const count = await conn.read(chunk);
      if (count === null) controller.close();
      else controller.enqueue(chunk.subarray(0, count));
    },
    cancel: (reason) => conn.abort(`the reader cancelled: ${String(reason)}`),
  }, { highWaterMark: 0 });
}

export function writableOf(conn: Conn): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    async write(chunk) {
      let done = 0;
      while (done < chunk.length) done += await conn.write(chunk.subarray(done));
    },
    close: () => conn.closeWrite(),
    abort: (reason) => conn.abort(`the writer aborted: ${String(reason)}`),
  });
}
