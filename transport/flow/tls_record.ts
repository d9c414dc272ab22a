// What a peer that speaks TLS sends to an end that does not: the head of a record. Pure.
//
//   0  type: 20 to 23 (22 is a handshake, 21 an alert)
//   1  version: 3, then 1 to 4
//
// No message of the flows begins so: a descriptor, a port, a length and the acknowledgement are
// below 65536 with their low bytes first, so their third byte is 0.

import { AgentError } from "../ground/error.ts";

/** @throws AgentError `auth` when the bytes begin a TLS record */
export function refuseTlsRecord(bytes: Uint8Array): void {
  const [type = 0, major = 0, minor = 0] = bytes;
  const begins = type >= 20 && type <= 23 && major === 3 && minor >= 1 && minor <= 4;
  if (!begins || bytes.length < 4) return;
  throw new AgentError(
    "auth",
    "Cannot use the connection: found that the peer speaks TLS, need plain TCP as here",
    { hint: "Set `tls` in the configuration of this host too (`agent pki issue`)." },
  );
}
