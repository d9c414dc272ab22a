// Judges whether a host is alive from its host block: pure, fed with samples and our own clock.
//
// Invariants:
//  1. Clocks are never compared: only a change of the counter counts, timed by the observer.
//  2. An observer that did not look for a while starts its watch anew: its own pause is not the
//     peer's death.
//  3. Another claim, generation or a detached block is the end of the host we knew, at once.

import type { HostBlock } from "./host_block.ts";

export type Liveness =
  | "unknown" // seen, no change of the counter yet
  | "live"
  | "suspect" // no change for half of the dead time
  | "dead" // no change for the dead time
  | "detached" // left in order, or never was there
  | "replaced"; // another claim or generation holds the id

/** What an observer of one host id saw; a block that could not be read is null. */
export type HostSample = HostBlock | null;

export class LivenessJudge {
  #claim: string | null = null;
  #heartbeat = -1;
  #changedAtMs = 0;
  #observedAtMs = 0;
  #verdict: Liveness = "detached";
  #moved = false;
  readonly #followsClaims: boolean;

  /** `followsClaims`: a new claim starts a new watch (status) instead of ending it (connection). */
  constructor(options: { readonly followsClaims: boolean }) {
    this.#followsClaims = options.followsClaims;
  }

  get verdict(): Liveness {
    return this.#verdict;
  }

  /** Milliseconds since the counter changed, or null while no change was seen. */
  heartbeatAgeMs(nowMs: number): number | null {
    return this.#moved ? nowMs - this.#changedAtMs : null;
  }

  /** Takes a sample; null means that no block could be read. */
  observe(sample: HostSample, nowMs: number, deadMs: number): Liveness {
    if (this.#verdict === "replaced") return this.#verdict;
    const unwatchedMs = nowMs - this.#observedAtMs;
    this.#observedAtMs = nowMs;
    if (sample !== null && !sample.attached) {
      this.#claim = this.#followsClaims ? null : this.#claim;
      this.#moved = false;
      return this.#verdict = "detached";
    }
    if (sample !== null && sample.claim !== this.#claim) {
      if (this.#claim !== null && !this.#followsClaims) return this.#verdict = "replaced";
      this.#claim = sample.claim;
      this.#heartbeat = sample.heartbeat;
      this.#changedAtMs = nowMs;
      this.#moved = false;
      return this.#verdict = "unknown";
    }
    if (sample === null && this.#claim === null && this.#followsClaims) return this.#verdict;
    if (sample !== null && sample.heartbeat !== this.#heartbeat) {
      this.#heartbeat = sample.heartbeat;
      this.#changedAtMs = nowMs;
      this.#moved = true;
      return this.#verdict = "live";
    }
    if (unwatchedMs > deadMs / 2) this.#changedAtMs = nowMs;
    const stillMs = nowMs - this.#changedAtMs;
    if (stillMs >= deadMs) this.#verdict = "dead";
    else if (stillMs >= deadMs / 2) this.#verdict = "suspect";
    return this.#verdict;
  }
}
