// Proof that a connector has the listener's token, without writing the token to shared storage.
//
// SHA-256 over the token and everything that names this one attempt: a proof that somebody
// copies from the storage is of no use to another endpoint, generation or port.

import { createHash } from "node:crypto";
import { assert } from "../ground/assert.ts";
import type { EndpointId } from "./control_block.ts";
import { TOKEN_BYTES_MAX } from "./limits.ts";

/** @returns 32 bytes */
export function tokenProof(
  token: Uint8Array,
  attempt: {
    readonly stgUuid: string;
    readonly connector: EndpointId;
    readonly listenerHost: number;
    readonly listenerPort: number;
  },
): Uint8Array {
  assert(token.length > 0 && token.length <= TOKEN_BYTES_MAX, "a token is short and not empty");
  const { host, endpoint, boot, generation } = attempt.connector;
  const where = [
    attempt.stgUuid,
    host,
    endpoint,
    boot,
    generation,
    attempt.listenerHost,
    attempt.listenerPort,
  ];
  const hash = createHash("sha256").update(where.join(":")).update("\0").update(token);
  return new Uint8Array(hash.digest());
}

/** Compares in a time that does not depend on where they differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  assert(a.length === b.length, "proofs have one length");
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
