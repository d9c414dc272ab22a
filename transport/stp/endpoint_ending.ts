// Ends a connection in the place of a worker that was killed: writes `aborted` into the block that
// it left, and looks after it until the peer shows that it saw the end. Without that a peer whose
// `aborted` was lost, or was covered by an older write that landed twice, would wait for ever,
// since our host lives. The worker that lives does the same for itself (endpoint_farewell.ts).
//
// Invariants:
//  1. Nothing is written when the host id may be lost, when the block shows a later use or another
//     holder of the id, after `stop`, or after `untilMs`: until then the endpoint is in quarantine,
//     so that no worker uses it, also not one that has it in its lease.
//  2. A block of an earlier use, or one that cannot be read, is no reason to stop: the end is
//     written over it.
//  3. The end is newer, by its count of changes, than anything that the worker published: what we
//     read may be an older block that landed twice, and peers ignore what is older than they saw.

import { AssertionFailure } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import {
  type ConnectionIds,
  ControlBlock,
  controlBlockImage,
  sameEndpoint,
} from "./control_block.ts";
import { peerHasEnded } from "./endpoint_farewell.ts";
import { SLEEP_MS_MAX } from "./limits.ts";
import { readOwnBlock } from "./own_control.ts";
import { PeerControl } from "./peer_control.ts";
import { controlBlockOffset } from "./stg_layout.ts";
import type { HostClaim, StgMedium } from "./stg_medium.ts";
import { writeVolume } from "./volume_io.ts";

/** Added to the changes of the block that was read: more than a worker makes in one use. */
const CHANGES_AHEAD = 2 ** 32;

export interface EndpointEndingOptions {
  readonly medium: StgMedium;
  readonly claim: HostClaim;
  readonly endpoint: number;
  /** The worker's uses have larger generations: a block of this or less is of an earlier lease. */
  readonly leaseGeneration: number;
  /** False when somebody else may have our host id. */
  readonly mayWrite: () => boolean;
}

export class EndpointEnding {
  readonly #options: EndpointEndingOptions;
  readonly #stopping = new AbortController();
  /** What was first seen of the use that is ended, as it is to be. */
  #last: ControlBlock | null = null;
  #peer: { readonly control: PeerControl; readonly ids: ConnectionIds } | null = null;
  #repeating: Promise<void> | undefined;
  #over = false;

  constructor(options: EndpointEndingOptions) {
    this.#options = options;
  }

  /**
   * Writes the end when the block, as it was just read, shows none.
   * @param found null when it could not be read
   * @returns false when nothing is left to be done
   * @throws AgentError `volume`
   */
  async tell(found: ControlBlock | null): Promise<boolean> {
    const { medium, claim, endpoint, mayWrite } = this.#options;
    if (found !== null && this.#isAnothers(found)) return false;
    const own = found !== null && this.#isOfUse(found) ? found : null;
    const last = this.#last ??= own === null ? null : endOf(medium, own);
    if (last === null || own !== null && hasEnded(own)) return true;
    // Who gave us up sees that our host is gone, or started again.
    if (this.#stopping.signal.aborted || !mayWrite()) return false;
    last.changes++;
    const offset = controlBlockOffset(medium.identity.layout, claim.hostId, endpoint);
    await writeVolume(medium.controlVolume, offset, controlBlockImage(last));
    return true;
  }

  /** Goes on in the background; volumes that fail meanwhile are tried again. */
  repeat(untilMs: number): void {
    this.#repeating ??= this.#repeat(untilMs).finally(() => this.#over = true);
  }

  /** While it is, the endpoint is in quarantine and no worker uses it. */
  get repeating(): boolean {
    return this.#repeating !== undefined && !this.#over;
  }

  /** Settles when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#repeating;
  }

  async #repeat(untilMs: number): Promise<void> {
    const { medium, claim, endpoint } = this.#options;
    const { clock, timing } = medium;
    const endMs = Math.min(untilMs, clock.monotonicMs() + timing.deadMs);
    let pauseMs = SLEEP_MS_MAX;
    while (await this.#sleeps(pauseMs) && clock.monotonicMs() < endMs) {
      pauseMs = Math.min(pauseMs * 2, timing.watchMs);
      try {
        if (await this.#peerSawIt()) return;
        if (!await this.tell(await readOwnBlock(medium, claim.hostId, endpoint))) return;
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
      }
    }
  }

  async #sleeps(ms: number): Promise<boolean> {
    const { signal } = this.#stopping;
    try {
      await this.#options.medium.clock.sleep(ms, { signal });
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      return false;
    }
    return !signal.aborted;
  }

  /** Of who took the host id from us, or of a later use. */
  #isAnothers({ self: { boot, generation } }: ControlBlock): boolean {
    if (boot !== this.#options.claim.generation) return boot > this.#options.claim.generation;
    return this.#last !== null && generation > this.#last.self.generation;
  }

  /** False for a late write of an earlier use, and for what belongs elsewhere. */
  #isOfUse({ self }: ControlBlock): boolean {
    const { claim, endpoint, leaseGeneration } = this.#options;
    const generation = this.#last?.self.generation ?? self.generation;
    return self.boot === claim.generation && self.host === claim.hostId &&
      self.endpoint === endpoint && self.generation === generation && generation > leaseGeneration;
  }

  async #peerSawIt(): Promise<boolean> {
    const { medium } = this.#options;
    const { layout } = medium.identity;
    if (this.#last === null) return false;
    const { self: local, peer } = this.#last;
    if (!(peer.host >= 1 && peer.host <= layout.maxHosts)) return false;
    if (peer.endpoint >= layout.endpointsPerHost) return false;
    const ids = { local, peer };
    if (this.#peer === null || !sameEndpoint(this.#peer.ids.peer, peer)) {
      this.#peer = { ids, control: new PeerControl(medium.controlVolume, layout, ids) };
    }
    const { control } = this.#peer;
    await control.poll();
    // A connector that asked only knows the listener: another endpoint may have answered.
    return control.block.kind !== "listening" && peerHasEnded(control, ids);
  }
}

/** @returns null for a block whose counts cannot be encoded again: it is none of ours */
function endOf(medium: StgMedium, found: ControlBlock): ControlBlock | null {
  const { changes, askedFrame, finFrames } = found;
  const cursors = [found.producedFrames, found.producedBytes];
  cursors.push(found.consumedFrames, found.consumedBytes);
  const counts = [changes + CHANGES_AHEAD, askedFrame, finFrames, ...cursors];
  if (!counts.every((count) => Number.isSafeInteger(count))) return null;
  const end = Object.assign(new ControlBlock(), found);
  end.changes = changes + CHANGES_AHEAD;
  if (hasEnded(found)) return end;
  end.undrained = maySettleLate(medium, found);
  end.kind = "aborted";
  end.reason = "the process that held it ended";
  return end;
}

function hasEnded({ kind }: ControlBlock): boolean {
  return kind === "free" || kind === "aborted";
}

/**
 * True when a write to the slots of an endpoint whose owner ended without a word may still land.
 * Volumes that retain are memory of this machine: nothing outlives its writer there. One that was
 * connecting may have been further than what landed of its block.
 */
export function maySettleLate({ volumes }: StgMedium, left: ControlBlock): boolean {
  if (volumes.every((volume) => volume.retains)) return false;
  return left.undrained || left.kind === "connecting" || left.kind === "established" ||
    left.kind === "closing";
}
