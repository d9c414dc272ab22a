// Keeps a worker from writing when its host may have been given up for dead: looks at the host's
// own block on the volumes. The main thread beats; the worker sees by that block that it still
// does, and that nobody took the id.
//
// Invariants:
//  1. A write is let through without a look only while the last heartbeat is certainly younger
//     than half of the dead time: others take the id after the whole of it (host_claim.ts), so the
//     other half is left for a write that is under way.
//  2. When that is not certain (the worker was idle, or the process was stopped), each call looks.
//  3. A claim of a later generation, or a heartbeat that stood still for `lateBeatMs`, ends the
//     fence for good: a process that was stopped longer than its peers wait writes nothing any
//     more. Another claim of our generation or an earlier one is a late write, as for the beat
//     (heartbeat.ts), which writes over it or loses the id and stands still.

import { AgentError } from "../ground/error.ts";
import type { Completion, Volume } from "../volume.ts";
import { decodeHostBlock, type HostBlock } from "./host_block.ts";
import { AREA_READS_MAX, BLOCK_BYTES } from "./limits.ts";
import { hostBlockOffset } from "./stg_layout.ts";
import type { HostClaim, StgMedium } from "./stg_medium.ts";
import { lateBeatMs } from "./stp_timing.ts";
import { readVolume } from "./volume_io.ts";

/** Looks of one call when each of them took longer than it is good for. */
const LOOKS_MAX = 3;

export class WriteFence {
  readonly #medium: StgMedium;
  readonly #claim: HostClaim;
  readonly #bytes = new Uint8Array(BLOCK_BYTES);
  /** Per volume, as last seen. */
  readonly #heartbeats: number[];
  /** Before this moment nothing needs to be looked at; the hot path compares with it only. */
  #untilMs = -Infinity;
  #lookedMs = -Infinity;
  /** The host beat at this moment or later. */
  #aliveMs = -Infinity;
  /** The look that first saw the heartbeat as it is. */
  #movedMs = -Infinity;
  #looking: Promise<void> | undefined;
  #lost: AgentError | null = null;

  constructor(medium: StgMedium, claim: HostClaim) {
    this.#medium = medium;
    this.#claim = claim;
    this.#heartbeats = medium.volumes.map(() => -1);
  }

  /**
   * To be called before each batch of writes, with the time as it is now. Costs a comparison;
   * four times in the dead time it reads a block.
   * @throws (or rejects) AgentError `reset` when this host may have been given up, `volume`
   */
  guard(nowMs: number): Completion {
    if (nowMs < this.#untilMs) return undefined;
    if (this.#lost !== null) throw this.#lost;
    if (this.#looking !== undefined) return this.#looking;
    const pending = this.#look(nowMs);
    if (pending === undefined) return undefined;
    this.#looking = this.#finish(pending, nowMs).finally(() => this.#looking = undefined);
    return this.#looking;
  }

  /** A look that took long says little about now: then another one follows. */
  async #finish(first: Promise<void>, startMs: number): Promise<void> {
    const { clock, timing } = this.#medium;
    await first;
    for (let look = 1; look < LOOKS_MAX; look++) {
      const nowMs = clock.monotonicMs();
      if (nowMs - startMs < timing.deadMs / 4) return;
      startMs = nowMs;
      await this.#look(nowMs);
    }
  }

  /** The control volume decides; when it shows no sign of life, the others are asked too. */
  #look(nowMs: number): Completion {
    const first = this.#readOwn(this.#medium.controlVolume);
    if (first instanceof Promise) return first.then((block) => this.#judge(block, nowMs));
    return this.#judge(first, nowMs);
  }

  #judge(block: HostBlock | null, nowMs: number): Completion {
    const moved = this.#take(block, 0, nowMs);
    const { deadMs } = this.#medium.timing;
    if (moved || nowMs - this.#movedMs < deadMs / 4 || this.#medium.volumes.length === 1) {
      return this.#conclude(nowMs);
    }
    return this.#askOthers(nowMs);
  }

  async #askOthers(nowMs: number): Promise<void> {
    for (const [index, volume] of this.#medium.volumes.entries()) {
      if (index === 0) continue;
      try {
        if (this.#take(await this.#readOwn(volume), index, nowMs)) break;
      } catch (error) {
        if (error === this.#lost) throw error; // else: a volume that cannot be read says nothing
      }
    }
    this.#conclude(nowMs);
  }

  /** @returns true when the heartbeat moved */
  #take(block: HostBlock | null, index: number, nowMs: number): boolean {
    const { claim, generation } = this.#claim;
    if (block === null) return false;
    if (block.claim !== claim) {
      if (block.generation <= generation) return false;
      throw this.#lose(`"${block.name}" holds the id`);
    }
    if (!block.attached) throw this.#lose("the id was given back");
    const before = this.#heartbeats[index];
    this.#heartbeats[index] = block.heartbeat;
    // The first look follows the lease, which only a host that beats gives. Later the first sight
    // of another volume is no beat.
    const first = this.#lookedMs === -Infinity;
    if (before === block.heartbeat || (before === -1 && !first)) return false;
    this.#aliveMs = first ? nowMs : this.#lookedMs;
    this.#movedMs = nowMs;
    return true;
  }

  #conclude(nowMs: number): undefined {
    const { deadMs } = this.#medium.timing;
    if (this.#movedMs === -Infinity) this.#movedMs = nowMs;
    this.#lookedMs = nowMs;
    const stillMs = nowMs - this.#movedMs;
    if (stillMs >= lateBeatMs(this.#medium.timing)) {
      throw this.#lose(`its heartbeat stood still for ${Math.round(stillMs)} ms`);
    }
    this.#untilMs = Math.min(nowMs + deadMs / 4, this.#aliveMs + deadMs / 2);
    return undefined;
  }

  #lose(found: string): AgentError {
    const { hostId } = this.#claim;
    const { identity, timing } = this.#medium;
    this.#untilMs = -Infinity;
    this.#lost = new AgentError(
      "reset",
      `Cannot write as host ${hostId} of storage transport group "${identity.name}": ${found}, ` +
        `need to have beaten within the dead time of ${timing.deadMs} ms`,
      { hint: "Look whether this process was stopped, or another agent has its host number." },
    );
    return this.#lost;
  }

  /** Our host block; null when it stays torn. A synchronous volume answers at once. */
  #readOwn(volume: Volume): HostBlock | null | Promise<HostBlock | null> {
    const { identity } = this.#medium;
    const { hostId } = this.#claim;
    const offset = hostBlockOffset(identity.layout, hostId);
    for (let pass = 1; pass <= AREA_READS_MAX; pass++) {
      const pending = readVolume(volume, offset, this.#bytes);
      if (pending !== undefined) return this.#readSlowly(volume, pending);
      const block = decodeHostBlock(this.#bytes, { hostId, stgUuid: identity.uuid });
      if (typeof block !== "string") return block;
    }
    return null;
  }

  async #readSlowly(volume: Volume, first: Promise<void>): Promise<HostBlock | null> {
    const { identity } = this.#medium;
    const { hostId } = this.#claim;
    const offset = hostBlockOffset(identity.layout, hostId);
    await first;
    for (let pass = 1;; pass++) {
      const block = decodeHostBlock(this.#bytes, { hostId, stgUuid: identity.uuid });
      if (typeof block !== "string") return block;
      if (pass === AREA_READS_MAX) return null;
      await readVolume(volume, offset, this.#bytes);
    }
  }
}
