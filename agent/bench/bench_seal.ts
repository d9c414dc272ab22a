// A benchmark's connection encrypted as those of jobs are. What is sent is a pattern, so the secret
// need not be one: both processes make it of the token that they share.

import { type Conn, type Runtime, SealedConn, SECRET_BYTES } from "../../transport/mod.ts";

export function sealForBench(
  { aead, clock }: Pick<Runtime, "aead" | "clock">,
  conn: Conn,
  { token, side }: {
    readonly token: Uint8Array;
    readonly side: "listening" | "connecting";
  },
): Conn {
  const secret = Uint8Array.from(
    { length: SECRET_BYTES },
    (_, at) => token[at % token.length] ?? 0,
  );
  return new SealedConn(conn, { secret, side, aead: aead(), clock });
}
