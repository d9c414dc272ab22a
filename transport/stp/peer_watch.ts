// Looks at the host block of a connection's peer while the connection waits, and says when that
// host is gone.
//
// Invariants:
//  1. The verdict is `LivenessJudge`'s: only a change of a counter counts, on any volume.
//  2. A volume that does not answer does not hold up the look at the others: its read stays under
//     way, and its answer counts at the next look.

import { AgentError } from "../ground/error.ts";
import type { EndpointId } from "./control_block.ts";
import { readHostBlock } from "./host_table.ts";
import { DEAD_MS_MAX, LOOKS_PER_DEATH } from "./limits.ts";
import { type HostSample, LivenessJudge } from "./liveness.ts";
import type { StgMedium } from "./stg_medium.ts";

export class PeerWatch {
  readonly #medium: StgMedium;
  readonly #peer: EndpointId;
  readonly #judge = new LivenessJudge({ followsClaims: false });
  /** Per volume: the last answer, and the read that is under way. */
  readonly #samples: HostSample[];
  readonly #reads: (Promise<void> | undefined)[] = [];
  readonly #failures: unknown[] = [];
  #answers = 0;
  /** Since when looks go unanswered; -1 when the last one was answered. */
  #unansweredMs = -1;
  #deadMs: number;

  constructor(medium: StgMedium, peer: EndpointId) {
    this.#medium = medium;
    this.#peer = peer;
    this.#samples = medium.volumes.map(() => null);
    this.#deadMs = medium.timing.deadMs;
  }

  /** How far apart looks are: from the first one on as close as the peer's dead time needs. */
  get lookMs(): number {
    return Math.min(this.#medium.timing.watchMs, this.#deadMs / LOOKS_PER_DEATH);
  }

  /** One look. @returns why the peer's host is gone, or null. @throws AgentError `volume` */
  async look(): Promise<string | null> {
    await this.#readAny();
    const { identity, clock } = this.#medium;
    const { host: hostId, boot } = this.#peer;
    const newer = this.#samples.find((sample) => sample !== null && sample.generation > boot);
    // Of an earlier generation: old content, or a late write of a process that lost the id.
    const samples = this.#samples.map((sample) => sample?.generation === boot ? sample : null);
    const host = samples.find((sample) => sample !== null) ?? newer ?? null;
    const who = `host ${hostId}${host === null ? "" : ` "${host.name}"`}`;
    if (newer !== undefined) return `${who} was started again`;
    if (host !== null && host.deadMs > 0) this.#deadMs = Math.min(host.deadMs, DEAD_MS_MAX);
    switch (this.#judge.observe(samples, clock.monotonicMs(), this.#deadMs)) {
      case "dead":
        return `${who} gave no sign of life for ${this.#deadMs} ms`;
      case "detached":
        return host === null ? null : `${who} left storage transport group "${identity.name}"`;
      case "replaced":
        return `${who} was replaced by another process`;
      default:
        return null;
    }
  }

  /** Waits for the first answer; all volumes that fail, or a long silence, are the failure. */
  async #readAny(): Promise<void> {
    const { clock, timing, volumes } = this.#medium;
    const answers = this.#answers;
    if (this.#unansweredMs < 0) this.#unansweredMs = clock.monotonicMs();
    volumes.forEach((_, index) => this.#startRead(index));
    const timer = new AbortController();
    const late = clock.sleep(timing.deadMs / 4, { signal: timer.signal }).catch(() => {});
    let patient = true;
    void late.then(() => patient = false);
    while (this.#answers === answers && patient) {
      const reads = this.#reads.filter((read) => read !== undefined);
      if (reads.length === 0) break;
      await Promise.race([...reads, late]);
    }
    timer.abort();
    if (this.#answers > answers) this.#unansweredMs = -1;
    else this.#judgeSilence();
  }

  /** @throws what the volumes failed with, or AgentError `volume` when they do not answer */
  #judgeSilence(): void {
    if (this.#reads.every((read) => read === undefined)) {
      throw this.#failures.find((failure) => failure !== undefined);
    }
    const silentMs = this.#medium.clock.monotonicMs() - this.#unansweredMs;
    if (silentMs < this.#deadMs) return;
    const names = this.#medium.volumes.map((volume) => `"${volume.name}"`).join(", ");
    throw new AgentError(
      "volume",
      `Cannot read volume ${names}: no answer for ${Math.round(silentMs)} ms, need one`,
      { hint: "Check the path to the storage with `agent stg status`." },
    );
  }

  #startRead(index: number): void {
    const { identity, volumes } = this.#medium;
    const volume = volumes[index];
    if (volume === undefined || this.#reads[index] !== undefined) return;
    this.#failures[index] = undefined;
    this.#reads[index] = readHostBlock(identity, volume, this.#peer.host).then(
      (sample) => {
        if (sample !== null) this.#samples[index] = sample;
        this.#answers++;
      },
      (error: unknown) => {
        this.#failures[index] = error;
      },
    ).finally(() => this.#reads[index] = undefined);
  }
}
