// Looks at the host block of a connection's peer while the connection waits, and says when that
// host is gone.
//
// Invariants: any volume that can be read is good enough. The verdict is `LivenessJudge`'s: only
// a change of the counter counts.

import type { EndpointId } from "./control_block.ts";
import { readHostBlock } from "./host_table.ts";
import { LivenessJudge } from "./liveness.ts";
import type { StgMedium } from "./stg_medium.ts";

/** Bounds of a published dead time that we believe, in ms. */
const DEAD_MS_MAX = 3_600_000;

export class PeerWatch {
  readonly #medium: StgMedium;
  readonly #peer: EndpointId;
  readonly #judge = new LivenessJudge({ followsClaims: false });
  #deadMs: number;
  #turn = 0;

  constructor(medium: StgMedium, peer: EndpointId) {
    this.#medium = medium;
    this.#peer = peer;
    this.#deadMs = medium.timing.deadMs;
  }

  /** One look. @returns why the peer's host is gone, or null. @throws AgentError `volume` */
  async look(): Promise<string | null> {
    const { identity, clock } = this.#medium;
    const host = await this.#readAny();
    const who = `host ${this.#peer.host}${host === null ? "" : ` "${host.name}"`}`;
    if (host !== null && host.deadMs > 0) this.#deadMs = Math.min(host.deadMs, DEAD_MS_MAX);
    if (host !== null && host.generation !== this.#peer.boot) {
      return `${who} was started again`;
    }
    switch (this.#judge.observe(host, clock.monotonicMs(), this.#deadMs)) {
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

  /** Another volume each time: one slow volume does not decide. */
  async #readAny() {
    const { identity, volumes } = this.#medium;
    let failure: unknown;
    for (let i = 0; i < volumes.length; i++) {
      const volume = volumes[this.#turn++ % volumes.length];
      if (volume === undefined) continue;
      try {
        return await readHostBlock(identity, volume, this.#peer.host);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
