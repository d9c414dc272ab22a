// Claims a host id in the host table: watch, write, read back.
//
// Invariants:
//  1. An id whose heartbeat changes while we watch is not taken.
//  2. After the settle time our claim still stands on every volume that could be written, or we
//     do not hold the id.
//  3. Each claim has a larger generation than any that was seen on any volume.

import { AgentError } from "../ground/error.ts";
import { formatUuid } from "./block_fields.ts";
import type { HostBlock } from "./host_block.ts";
import { readWholeHostBlock, writeHostBlock } from "./host_table.ts";
import type { StgMedium } from "./stg_medium.ts";
import { watchWindowMs } from "./stp_timing.ts";

/** @returns the block as it now stands on every volume. @throws AgentError `busy`, `volume` */
export async function claimHost(
  medium: StgMedium,
  holder: { readonly hostId: number; readonly hostName: string },
): Promise<HostBlock> {
  const { identity, clock, random, timing } = medium;
  const { hostId, hostName } = holder;
  const seen = await readAll(medium, hostId);
  if (seen.some((block) => block?.attached)) await refuseLive(medium, hostId, seen);
  const generation = Math.max(0, ...seen.map((block) => block?.generation ?? 0)) + 1;
  const claimed: HostBlock = {
    hostId,
    stgUuid: identity.uuid,
    attached: true,
    generation,
    claim: formatUuid(random.bytes(16)).replaceAll("-", "").slice(0, 16),
    heartbeat: 1,
    deadMs: timing.deadMs,
    name: hostName,
  };
  for (const volume of medium.volumes) await writeHostBlock(identity, volume, claimed);
  await clock.sleep(timing.settleMs);
  for (const block of await readAll(medium, hostId)) {
    if (block === null || block.claim !== claimed.claim) throw held(medium, hostId, block);
  }
  return claimed;
}

/** An attached block may be left over from a killed process: then its counter stands still. */
async function refuseLive(
  medium: StgMedium,
  hostId: number,
  before: readonly (HostBlock | null)[],
): Promise<void> {
  const { clock, timing } = medium;
  const endMs = clock.monotonicMs() + watchWindowMs(timing);
  while (clock.monotonicMs() < endMs) {
    await clock.sleep(timing.heartbeatMs / 4);
    const now = await readAll(medium, hostId);
    const changed = now.find((block, index) => {
      const old = before[index];
      if (!block?.attached || old === undefined) return false;
      return block.heartbeat !== old?.heartbeat || block.claim !== old?.claim;
    });
    if (changed) throw held(medium, hostId, changed);
    if (now.every((block) => !block?.attached)) return;
  }
}

async function readAll(medium: StgMedium, hostId: number): Promise<(HostBlock | null)[]> {
  const { identity, clock } = medium;
  const blocks: (HostBlock | null)[] = [];
  for (const volume of medium.volumes) {
    blocks.push(await readWholeHostBlock(identity, volume, { hostId, clock }));
  }
  return blocks;
}

function held(medium: StgMedium, hostId: number, holder: HostBlock | null): AgentError {
  const found = holder === null ? "another process claims it" : `"${holder.name}" holds it`;
  return new AgentError(
    "busy",
    `Cannot claim host ${hostId} of storage transport group "${medium.identity.name}": ` +
      `${found}, need an id that no live process has`,
    { hint: "Give each agent its own `host` number under `stgs` in its configuration." },
  );
}
