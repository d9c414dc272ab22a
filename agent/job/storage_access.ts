// A group as the flows name it, from what the daemon handed to the worker.

import {
  type Conn,
  type GroupEncryption,
  type Runtime,
  SealedConn,
  type Side,
  type StorageGroup,
  type UnusableGroup,
} from "../../transport/mod.ts";
import type { StgAccess } from "./worker_protocol.ts";

/** What a host has that does not know the group. */
export const NOT_CONFIGURED: StgAccess = {
  unusable: "down",
  detail: "it is not configured here",
};

/** Proves on every volume of the group that both ends of `conn` see the same medium. */
export type Prove = (conn: Conn) => Promise<void>;

/** @param side whose group it is: the reason why it cannot be used names it */
export function groupOf(
  access: StgAccess,
  side: Side,
  runtime: Pick<Runtime, "aead" | "clock">,
): StorageGroup | UnusableGroup {
  if ("unusable" in access) {
    const { detail } = access;
    const down = access.unusable === "down";
    return { unusable: { reason: down ? `${side}_stg_down` : "no_endpoint", detail } };
  }
  const { identity, claim, encrypt: isRequired } = access.part;
  const { name, uuid, volumeUuids } = identity;
  const seal: GroupEncryption["seal"] = (conn, secret, side) =>
    new SealedConn(conn, { secret, side, aead: runtime.aead(), clock: runtime.clock });
  return { name, uuid, volumeUuids, host: claim.hostId, encryption: { isRequired, seal } };
}
