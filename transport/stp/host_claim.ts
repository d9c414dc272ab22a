// Claims a host id in the host table: watch the holder, write, read back.
//
// Invariants:
//  1. An attached block is waited out for the dead time that it publishes, counted from our first
//     look: a holder that lives beats within it, and one that was stopped finds by its own clock
//     that its time is over before it writes. Only a process that is certainly gone (same machine,
//     not in /proc) is not waited for. A block that cannot be read, and blocks that are gone though
//     control blocks show that the id was used, may be those of a holder whose next beat writes
//     them again: they are waited out for our own dead time.
//  2. The write follows the last look within the settle time, and the settle time later our claim
//     still stands on every volume, or we do not hold the id: of two claimers the first one's
//     write is seen by the second's look, or the second's write by the first's read back. A write
//     that took longer is watched for longer: a holder that beats meanwhile writes over it
//     (stg_member.ts).
//  3. Each claim has a larger generation than any that was seen on any volume, also in the control
//     blocks of the id: a host block that a medium damaged must not start the count anew.

import { AgentError } from "../ground/error.ts";
import type { ProcessTable } from "../runtime/process_table.ts";
import { formatUuid } from "./block_fields.ts";
import type { HostBlock } from "./host_block.ts";
import { lookAtHostBlock, writeHostBlock } from "./host_table.ts";
import { CLAIM_ROUNDS_MAX, DEAD_MS_MAX } from "./limits.ts";
import { readOwnBlock } from "./own_control.ts";
import type { StgMedium } from "./stg_medium.ts";
import { watchWindowMs } from "./stp_timing.ts";

export interface ClaimOptions {
  readonly hostId: number;
  readonly hostName: string;
  /** Without it every holder is waited for. */
  readonly processes?: ProcessTable | undefined;
  /** Ends the wait for a holder. */
  readonly signal?: AbortSignal | undefined;
}

/** One block per volume; null where none could be decoded. */
type Blocks = readonly (HostBlock | null)[];
type HostLook = Awaited<ReturnType<typeof lookAtHostBlock>>;
type Looks = readonly HostLook[];

/**
 * Takes the settle time, and the dead time of a holder that did not give the id back.
 * @returns the block as it now stands on every volume
 * @throws AgentError `busy` (a live holder, by name), `volume`, `cancelled`
 */
export async function claimHost(medium: StgMedium, options: ClaimOptions): Promise<HostBlock> {
  for (let round = 1; round <= CLAIM_ROUNDS_MAX; round++) {
    const watched = await outwait(medium, options);
    const used = await newestUse(medium, options.hostId);
    const startMs = medium.clock.monotonicMs();
    const found = await readAll(medium, options.hostId);
    if (sameBlocks(found, watched)) return await take(medium, options, { found, startMs, used });
  }
  throw held(medium, options.hostId, null);
}

/** Watches until nobody can hold the id any more. @returns the blocks as last seen */
async function outwait(medium: StgMedium, options: ClaimOptions): Promise<Blocks> {
  const { clock, timing } = medium;
  const { hostId, signal } = options;
  let startMs = clock.monotonicMs();
  const first = await lookAtAll(medium, hostId);
  const hidden = await hidesHolder(medium, hostId, first);
  let before = blocksOf(first);
  for (;;) {
    const unknown = hidden.some((hides, index) => hides && before[index] === null);
    const waitMs = longestWaitMs(holdersOf(before, options), { unknown, deadMs: timing.deadMs });
    const restMs = startMs + waitMs - clock.monotonicMs();
    if (restMs <= 0) return before;
    await clock.sleep(Math.min(timing.heartbeatMs / 4, restMs), { signal });
    const now = blocksOf(await lookAtAll(medium, hostId));
    const live = now.find((block, index) => hasBeaten(before[index], block));
    if (live) throw held(medium, hostId, live);
    // A block that could not be read until now is watched from now on.
    if (now.some((block, index) => block !== null && !before[index])) startMs = clock.monotonicMs();
    before = now.map((block, index) => block ?? before[index] ?? null);
  }
}

/** Per volume: whether somebody may hold the id whose block cannot be read there. */
async function hidesHolder(medium: StgMedium, hostId: number, looks: Looks): Promise<boolean[]> {
  const erased = looks.every((look) => look === "empty") && await newestUse(medium, hostId) > 0;
  return looks.map((look) => look === "unreadable" || erased);
}

/** Blocks of claims that may still be held; those of earlier generations were outwaited once. */
function holdersOf(blocks: Blocks, { processes }: ClaimOptions): HostBlock[] {
  const newest = newestGeneration(blocks);
  return blocks.filter((block): block is HostBlock => {
    if (block === null || !block.attached || block.generation < newest) return false;
    if (blocks.some((other) => other?.claim === block.claim && !other.attached)) return false;
    return block.process === null || processes?.isGone(block.process) !== true;
  });
}

function longestWaitMs(
  holders: readonly HostBlock[],
  { unknown, deadMs }: { readonly unknown: boolean; readonly deadMs: number },
): number {
  const published = holders.map((holder) => holder.deadMs || deadMs);
  return Math.min(DEAD_MS_MAX, Math.max(unknown ? deadMs : 0, ...published));
}

function hasBeaten(before: HostBlock | null | undefined, now: HostBlock | null): boolean {
  if (!before || now === null || !now.attached) return false;
  if (now.generation < before.generation) return false; // old content
  return now.claim !== before.claim || now.heartbeat !== before.heartbeat;
}

function sameBlocks(found: Blocks, watched: Blocks): boolean {
  return found.every((block, index) => {
    const before = watched[index];
    return block?.claim === before?.claim && block?.heartbeat === before?.heartbeat &&
      block?.attached === before?.attached;
  });
}

async function take(
  medium: StgMedium,
  { hostId, hostName, processes }: ClaimOptions,
  last: { readonly found: Blocks; readonly startMs: number; readonly used: number },
): Promise<HostBlock> {
  const { identity, clock, random, timing } = medium;
  const claimed: HostBlock = {
    hostId,
    stgUuid: identity.uuid,
    attached: true,
    generation: Math.max(newestGeneration(last.found), last.used) + 1,
    claim: formatUuid(random.bytes(16)).replaceAll("-", "").slice(0, 16),
    heartbeat: 1,
    deadMs: timing.deadMs,
    name: hostName,
    process: processes?.self ?? null,
  };
  for (const volume of medium.volumes) await writeHostBlock(identity, volume, claimed);
  const slow = clock.monotonicMs() - last.startMs > timing.settleMs;
  await clock.sleep(slow ? timing.settleMs + watchWindowMs(timing) : timing.settleMs);
  for (const block of await readAll(medium, hostId)) {
    if (block === null || block.claim !== claimed.claim) throw held(medium, hostId, block);
  }
  return claimed;
}

async function readAll(medium: StgMedium, hostId: number): Promise<Blocks> {
  return blocksOf(await lookAtAll(medium, hostId));
}

async function lookAtAll(medium: StgMedium, hostId: number): Promise<Looks> {
  const { identity, clock } = medium;
  const looks: HostLook[] = [];
  for (const volume of medium.volumes) {
    looks.push(await lookAtHostBlock(identity, volume, { hostId, clock }));
  }
  return looks;
}

function blocksOf(looks: Looks): Blocks {
  return looks.map((look) => typeof look === "string" ? null : look);
}

function newestGeneration(blocks: Blocks): number {
  return Math.max(0, ...blocks.map((block) => block?.generation ?? 0));
}

/** The newest generation of the id that a control block of it shows; 0 when it was never used. */
async function newestUse(medium: StgMedium, hostId: number): Promise<number> {
  let newest = 0;
  for (let endpoint = 0; endpoint < medium.identity.layout.endpointsPerHost; endpoint++) {
    newest = Math.max(newest, (await readOwnBlock(medium, hostId, endpoint))?.self.boot ?? 0);
  }
  return newest;
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
