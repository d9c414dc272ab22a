// A group as the flows name it, from what the daemon handed to the worker.

import type { Conn, StorageGroup } from "../../transport/mod.ts";
import type { StgAccess } from "./worker_protocol.ts";

/** Proves on every volume of the group that both ends of `conn` see the same medium. */
export type Prove = (conn: Conn) => Promise<void>;

export function groupOf(access: StgAccess): StorageGroup | { readonly unusable: string } {
  if ("unusable" in access) return access;
  const { identity, claim } = access.part;
  const { name, uuid, volumeUuids } = identity;
  return { name, uuid, volumeUuids, host: claim.hostId };
}
