// Judges whether a host is alive from its host block on each volume: pure, fed with samples and
// our own clock.
//
// Invariants:
//  1. Clocks are never compared: only a change of a counter counts, timed by the observer.
//  2. Any volume is enough to be alive: a host is dead only when its counter stands still on every
//     volume that can be read. Each volume's counter is compared with itself, for a host beats on
//     its volumes independently and one of them may be ahead.
//  3. A look vouches for at most a quarter of the dead time before it: an observer's own pause is
//     not the peer's death, and looks that are always far apart still find it. So a verdict comes
//     with the first look after the dead time, or with the fifth one after the last beat.
//  4. Another claim of the same or a later generation, or a detached block, is the end of the host
//     we knew, at once. An earlier generation is old content or a late write, and says nothing.

import type { HostBlock } from "./host_block.ts";
import { LOOKS_PER_DEATH } from "./limits.ts";

export type Liveness =
  | "unknown" // seen, no change of the counter yet
  | "live"
  | "suspect" // no change for half of the dead time
  | "dead" // no change for the dead time
  | "detached" // left in order, or never was there
  | "replaced"; // another claim or generation holds the id

/** What an observer saw of one host id on one volume; a block that could not be read is null. */
export type HostSample = HostBlock | null;

export class LivenessJudge {
  #known: HostBlock | null = null;
  /** Per volume; undefined until the block of the known claim was seen there. */
  #heartbeats: (number | undefined)[] = [];
  /** Per volume: when its counter changed; undefined while no change was seen. */
  #changes: (number | undefined)[] = [];
  #changedAtMs = 0;
  #observedAtMs = 0;
  /** How long no counter changed, as far as looks vouch for it. */
  #stillMs = 0;
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

  /** Milliseconds since a counter changed, or null while no change was seen. */
  heartbeatAgeMs(nowMs: number): number | null {
    return this.#moved ? nowMs - this.#changedAtMs : null;
  }

  /** Indices of the volumes whose counter changed within `deadMs`. */
  beatsOn(nowMs: number, deadMs: number): number[] {
    return this.#changes.flatMap((changedAtMs, index) =>
      changedAtMs !== undefined && nowMs - changedAtMs < deadMs ? [index] : []
    );
  }

  /** Takes one sample per volume, in the order of the volumes. */
  observe(samples: readonly HostSample[], nowMs: number, deadMs: number): Liveness {
    if (this.#verdict === "replaced") return this.#verdict;
    const unwatchedMs = nowMs - this.#observedAtMs;
    this.#observedAtMs = nowMs;
    const newest = newestOf(samples);
    const known = this.#known;
    if (newest !== null && (known === null || isAnother(newest, known))) {
      if (known !== null && !this.#followsClaims) return this.#verdict = "replaced";
      this.#begin(newest, samples, nowMs);
      return this.#verdict;
    }
    if (known === null) return this.#verdict;
    if (samples.some((sample) => sample?.claim === known.claim && !sample.attached)) {
      this.#moved = false;
      this.#changes = [];
      return this.#verdict = "detached";
    }
    if (this.#sawChange(samples, known.claim, nowMs)) {
      this.#changedAtMs = nowMs;
      this.#stillMs = 0;
      this.#moved = true;
      return this.#verdict = "live";
    }
    this.#stillMs += Math.min(unwatchedMs, deadMs / LOOKS_PER_DEATH);
    if (this.#stillMs >= deadMs) this.#verdict = "dead";
    else if (this.#stillMs >= deadMs / 2) this.#verdict = "suspect";
    return this.#verdict;
  }

  #begin(newest: HostBlock, samples: readonly HostSample[], nowMs: number): void {
    this.#known = newest;
    this.#heartbeats = samples.map((sample) =>
      sample?.claim === newest.claim ? sample.heartbeat : undefined
    );
    this.#changes = [];
    this.#changedAtMs = nowMs;
    this.#stillMs = 0;
    this.#moved = false;
    this.#verdict = newest.attached ? "unknown" : "detached";
  }

  #sawChange(samples: readonly HostSample[], claim: string, nowMs: number): boolean {
    let changed = false;
    samples.forEach((sample, index) => {
      if (sample === null || sample.claim !== claim) return;
      const before = this.#heartbeats[index];
      if (before !== undefined && before !== sample.heartbeat) {
        changed = true;
        this.#changes[index] = nowMs;
      }
      this.#heartbeats[index] = sample.heartbeat;
    });
    return changed;
  }
}

/** The block of the latest generation. */
function newestOf(samples: readonly HostSample[]): HostSample {
  let newest: HostSample = null;
  for (const sample of samples) {
    if (sample !== null && sample.generation > (newest?.generation ?? -1)) newest = sample;
  }
  return newest;
}

function isAnother(found: HostBlock, known: HostBlock): boolean {
  return found.claim !== known.claim && found.generation >= known.generation;
}
