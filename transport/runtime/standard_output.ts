// Writing to standard output and error: all bytes, in order, before the call returns, so that
// nothing is lost when the process ends right after. A pipe that the reader made non-blocking
// answers EAGAIN when it is full; then we wait for the reader.

import { EAGAIN, EINTR, EPIPE, errnoName } from "./errno.ts";
import { SystemError } from "./files.ts";
import type { Libc } from "./libc.ts";
import { OUTPUT_RETRY_COUNT, OUTPUT_RETRY_MS } from "./limits.ts";

/**
 * @throws SystemError when the stream cannot be written; a reader that went away is no error,
 *   because then nobody wants the rest
 */
export function writeStandard(libc: Libc, stream: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let tries = 0;
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.subarray(done);
    const count = libc.write(stream, rest, rest.length);
    if (count > 0) {
      done += count;
      tries = 0;
      continue;
    }
    const errno = libc.errno();
    if (errno === EPIPE) return;
    if (errno === EINTR) continue;
    tries += 1;
    if (errno !== EAGAIN || tries > OUTPUT_RETRY_COUNT) {
      throw new SystemError(errnoName(errno), "write", stream === 1 ? "stdout" : "stderr");
    }
    pause(OUTPUT_RETRY_MS);
  }
}

/** Blocks this thread: the call is synchronous on purpose. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
