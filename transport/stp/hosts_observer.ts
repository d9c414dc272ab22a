// Follows the host table of a group over time: one judge per host id, fed from every volume.
//
// Invariant: "live" and "dead" were observed. A host that was not looked at for long enough is
// neither: its liveness is null.

import type { HostBlock } from "./host_block.ts";
import type { HostTable } from "./host_table.ts";
import { LivenessJudge } from "./liveness.ts";
import type { StpTiming } from "./stp_timing.ts";

export interface HostStatus {
  readonly host: number;
  readonly name: string;
  readonly generation: number;
  readonly attached: boolean;
  /** Null until it was judged. */
  readonly live: boolean | null;
  /** Since the heartbeat changed, as we saw it; null when we did not see it change. */
  readonly heartbeatAgeMs: number | null;
  /** Volumes on which its heartbeat changed within its dead time. */
  readonly volumes: readonly string[];
  /** What the host publishes; peers wait that long. */
  readonly deadMs: number;
}

interface Observed {
  readonly judge: LivenessJudge;
  block: HostBlock;
}

export class HostsObserver {
  readonly #timing: StpTiming;
  readonly #volumeNames: readonly string[];
  readonly #hosts = new Map<number, Observed>();

  constructor(timing: StpTiming, volumeNames: readonly string[]) {
    this.#timing = timing;
    this.#volumeNames = volumeNames;
  }

  /** One table per volume, in their order; null for a volume that was not read now. */
  observe(tables: readonly (HostTable | null)[], nowMs: number): void {
    const ids = new Set(tables.flatMap((table) => [...table?.keys() ?? []]));
    for (const hostId of ids) {
      const samples = this.#volumeNames.map((_, index) => tables[index]?.get(hostId) ?? null);
      const newest = newestOf(samples);
      if (newest === null) continue;
      const known = this.#hosts.get(hostId);
      const judge = known?.judge ?? new LivenessJudge({ followsClaims: true });
      judge.observe(samples, nowMs, newest.deadMs || this.#timing.deadMs);
      const older = known !== undefined && newest.generation < known.block.generation;
      this.#hosts.set(hostId, { judge, block: older ? known.block : newest });
    }
  }

  status(nowMs: number): HostStatus[] {
    const hosts = [...this.#hosts.values()].sort((a, b) => a.block.hostId - b.block.hostId);
    return hosts.map(({ judge, block }) => ({
      host: block.hostId,
      name: block.name,
      generation: block.generation,
      attached: block.attached,
      live: livenessOf(judge, nowMs),
      heartbeatAgeMs: judge.heartbeatAgeMs(nowMs),
      volumes: judge.beatsOn(nowMs, block.deadMs || this.#timing.deadMs)
        .flatMap((index) => this.#volumeNames[index] ?? []),
      deadMs: block.deadMs,
    }));
  }
}

function livenessOf(judge: LivenessJudge, nowMs: number): boolean | null {
  switch (judge.verdict) {
    case "unknown":
      return null;
    case "live":
      return true;
    case "suspect":
      // Without a beat that we saw this is only half of the way to a verdict.
      return judge.heartbeatAgeMs(nowMs) === null ? null : true;
    default:
      return false;
  }
}

function newestOf(samples: readonly (HostBlock | null)[]): HostBlock | null {
  return samples.reduce(
    (newest, one) => one !== null && one.generation > (newest?.generation ?? -1) ? one : newest,
    null,
  );
}
