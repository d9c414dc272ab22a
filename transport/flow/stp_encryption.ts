// Whether the two ends of a storage connection encrypt it, and with what. Any of them may need it;
// the client, who hears the server's word first, decides and makes the secret, which travels with
// the STP port (140/170, 210/238). An end that needs it takes no connection without.
//
// The secret must not be read on its way: the set-up's network connection is TLS, or does not leave
// the host. Where the port travels on a storage connection, that one is encrypted.

import type { Conn } from "../conn.ts";
import { decodeHex, encodeHex } from "../ground/hex.ts";
import { isLoopback } from "../ground/loopback.ts";
import type { Random } from "../runtime/runtime.ts";
import { StorageError } from "./fallback_reason.ts";
import { SECRET_BYTES } from "./limits.ts";
import type { StorageGroup } from "./stp_steps.ts";

/** What the server says of a group's encryption; releases that cannot encrypt say nothing. */
export type EncryptionWord = "can" | "must";

/** What this host does about a group's encryption. */
export interface GroupEncryption {
  /** No connection goes without. */
  readonly isRequired: boolean;
  /** Encrypts a connection. @param secret of SECRET_BYTES, for this connection alone */
  readonly seal: (conn: Conn, secret: Uint8Array, side: "listening" | "connecting") => Conn;
}

export function encryptionWord({ encryption }: StorageGroup): EncryptionWord {
  return encryption.isRequired ? "must" : "can";
}

/**
 * The client's decision. `conn` is the set-up's network connection.
 * @returns the secret as hex; undefined when neither end needs encryption
 * @throws StorageError when it is needed and cannot be had
 */
export function makeSecret(
  group: StorageGroup,
  { word, conn, random }: {
    readonly word: EncryptionWord | undefined;
    readonly conn: Conn;
    readonly random: Random;
  },
): string | undefined {
  if (!group.encryption.isRequired && word !== "must") return undefined;
  if (word === undefined) throw refusal("the server's release cannot encrypt");
  if (!isPrivate(conn)) throw refusal("the network between the hosts has no TLS");
  return freshSecret(random);
}

export function freshSecret(random: Random): string {
  return encodeHex(random.bytes(SECRET_BYTES));
}

/** The server's check of what the client decided. @throws StorageError */
export function requireSecret(group: StorageGroup, secret: string | undefined): void {
  if (secret !== undefined || !group.encryption.isRequired) return;
  throw refusal("the client does not encrypt: its release cannot");
}

/** The connection as the job uses it. */
export function sealed(
  group: StorageGroup,
  conn: Conn,
  { secret, side }: { readonly secret: string; readonly side: "listening" | "connecting" },
): Conn {
  return group.encryption.seal(conn, decodeHex(secret), side);
}

/** True when nobody but the two ends can read what is sent on it. */
function isPrivate({ peerName, remoteAddr }: Conn): boolean {
  if (peerName !== undefined) return true;
  return remoteAddr.family === "AF_INET" && isLoopback(remoteAddr.address);
}

function refusal(found: string): StorageError {
  const detail = `its data must be encrypted (\`encrypt\` of the group), but ${found}`;
  return new StorageError({ reason: "setup_refused", detail });
}
