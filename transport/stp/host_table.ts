// Reads and writes host blocks on the volumes of a group.
//
// Invariant: a host block that is torn, lost or of another group is never taken for a host; the
// reader says null and the next look decides.

import { assert } from "../ground/assert.ts";
import type { Clock } from "../runtime/runtime.ts";
import type { Completion, Volume } from "../volume.ts";
import { decodeHostBlock, encodeHostBlock, type HostBlock } from "./host_block.ts";
import { AREA_READS_MAX, BLOCK_BYTES, SLEEP_MS_FIRST } from "./limits.ts";
import { readBlocks } from "./lost_blocks.ts";
import { hostBlockOffset, hostTableBytes } from "./stg_layout.ts";
import type { StgIdentity } from "./stg_medium.ts";
import { writeVolume } from "./volume_io.ts";

/** Host id -> its block; an id without a readable block is missing. */
export type HostTable = ReadonlyMap<number, HostBlock>;

/**
 * Reads the whole table of one volume, by way of `bytes`: who reads it again and again keeps them.
 * @throws AgentError `volume`
 */
export async function readHostTable(
  identity: StgIdentity,
  volume: Volume,
  bytes: Uint8Array = new Uint8Array(hostTableBytes(identity.layout)),
): Promise<HostTable> {
  const { layout } = identity;
  await readBlocks(volume, hostBlockOffset(layout, 1), bytes);
  const table = new Map<number, HostBlock>();
  for (let hostId = 1; hostId <= layout.maxHosts; hostId++) {
    const block = bytes.subarray((hostId - 1) * BLOCK_BYTES, hostId * BLOCK_BYTES);
    const host = decodeHostBlock(block, { hostId, stgUuid: identity.uuid });
    if (typeof host !== "string") table.set(hostId, host);
  }
  return table;
}

/**
 * Reads one host's block; null when it is empty, torn, damaged or lost.
 * @throws AgentError `volume`
 */
export async function readHostBlock(
  identity: StgIdentity,
  volume: Volume,
  hostId: number,
): Promise<HostBlock | null> {
  const bytes = new Uint8Array(BLOCK_BYTES);
  await readBlocks(volume, hostBlockOffset(identity.layout, hostId), bytes);
  const host = decodeHostBlock(bytes, { hostId, stgUuid: identity.uuid });
  return typeof host === "string" ? null : host;
}

/** As `readHostBlock`, but what cannot be read is read again until it is whole, with a bound. */
export async function readWholeHostBlock(
  identity: StgIdentity,
  volume: Volume,
  options: { readonly hostId: number; readonly clock: Clock },
): Promise<HostBlock | null> {
  const host = await lookAtHostBlock(identity, volume, options);
  return typeof host === "string" ? null : host;
}

/** The same, and tells a block that stays unreadable from one that nobody wrote. */
export async function lookAtHostBlock(
  identity: StgIdentity,
  volume: Volume,
  options: { readonly hostId: number; readonly clock: Clock },
): Promise<HostBlock | "empty" | "unreadable"> {
  const { hostId, clock } = options;
  const bytes = new Uint8Array(BLOCK_BYTES);
  for (let pass = 1;; pass++) {
    const lost = await readBlocks(volume, hostBlockOffset(identity.layout, hostId), bytes);
    const host = decodeHostBlock(bytes, { hostId, stgUuid: identity.uuid });
    const empty = host === "empty" && (lost === undefined || lost.size === 0);
    if (typeof host !== "string" || empty) return host;
    if (pass === AREA_READS_MAX) return "unreadable";
    await clock.sleep(SLEEP_MS_FIRST);
  }
}

/** @throws AgentError `volume` */
export function writeHostBlock(
  identity: StgIdentity,
  volume: Volume,
  host: HostBlock,
): Completion {
  assert(host.stgUuid === identity.uuid, "a host block belongs to its group");
  return writeVolume(volume, hostBlockOffset(identity.layout, host.hostId), encodeHostBlock(host));
}
