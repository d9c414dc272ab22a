// One datagram to a socket of this host: what sd_notify(3) does. The socket is opened anew for
// each, so that a receiver that was started again gets the next one.

import { errnoName } from "./errno.ts";
import { SystemError } from "./files.ts";
import type { Libc } from "./libc.ts";
import { DATAGRAM_SEND_MS } from "./limits.ts";
import { openUnixSocket, setSocketTimeout, SO_SNDTIMEO, unixAddress } from "./unix_socket.ts";

/** @throws SystemError EAGAIN when the receiver's queue stays full */
export function sendLocal(libc: Libc, name: string, bytes: Uint8Array): void {
  const check = (result: number, call: string) => {
    if (result < 0) throw new SystemError(errnoName(libc.errno()), call, name);
  };
  const address = unixAddress(name);
  const descriptor = openUnixSocket(libc, "datagram", name);
  try {
    const option = SO_SNDTIMEO;
    setSocketTimeout(libc, descriptor, { option, ms: DATAGRAM_SEND_MS, name });
    check(libc.connect(descriptor, address, address.length), "connect");
    check(libc.write(descriptor, bytes, bytes.length), "write");
  } finally {
    libc.close(descriptor);
  }
}
