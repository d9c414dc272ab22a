// Beats for this host on every volume of a group, and finds out when the host id is lost.
//
// Invariants:
//  1. Each volume has its own loop: a slow volume does not hold up the beat on the others, and an
//     operation that never returns is noticed by a loop that does no I/O.
//  2. Each beat first reads the host table: a claim of a later generation in our block means that
//     we lost the id. A claim of an earlier generation, or of our own, is a late write (of a
//     process that was stopped, or that was slow to claim): it is written over, a few times.
//  3. When no volume took a heartbeat for half of the dead time, seen twice, the id is lost; others
//     take it after the whole of it (host_claim.ts).
//  4. A process that was stopped may go on when its beat is less late than `lateBeatMs`; later it
//     loses the id before it writes anything.
//  5. An idle process is woken once for all volumes of a beat, and memory is not asked for in each:
//     both are most of what an idle daemon costs.

import { AgentError } from "../ground/error.ts";
import type { Volume } from "../volume.ts";
import type { HostBlock } from "./host_block.ts";
import { type HostTable, readHostTable, readWholeHostBlock, writeHostBlock } from "./host_table.ts";
import type { HostsObserver } from "./hosts_observer.ts";
import { LATE_WRITES_MAX } from "./limits.ts";
import { hostTableBytes } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { lateBeatMs } from "./stp_timing.ts";

export class Heartbeat {
  readonly #medium: StgMedium;
  readonly #block: HostBlock;
  readonly #observer: HostsObserver;
  readonly #stopping = new AbortController();
  readonly #lostHandlers = new Set<(error: AgentError) => void>();
  readonly #tables: (HostTable | null)[];
  #loops: readonly Promise<void>[] = [];
  /** Origin of the beats. */
  #startMs = 0;
  #lost: AgentError | null = null;
  /** Start of the last beat that completed, on any volume. */
  #beatMs: number;
  #trouble: unknown;

  /** @param block as it was claimed on every volume just now */
  constructor(medium: StgMedium, block: HostBlock, observer: HostsObserver) {
    this.#medium = medium;
    this.#block = block;
    this.#observer = observer;
    this.#tables = medium.volumes.map(() => null);
    this.#beatMs = medium.clock.monotonicMs();
  }

  get lost(): AgentError | null {
    return this.#lost;
  }

  /** False when somebody else may have the id, or may have it soon: nothing is written then. */
  mayWrite(): boolean {
    return this.#lost === null && !this.#loseWhenLate(this.#medium.clock.monotonicMs());
  }

  start(): void {
    this.#startMs = this.#medium.clock.monotonicMs();
    const beats = this.#medium.volumes.map((volume, index) => this.#beat(volume, index));
    this.#loops = [...beats, this.#watch()];
  }

  /** Called once, when the id is lost; at once when it already is. */
  onLost(handler: (error: AgentError) => void): void {
    if (this.#lost !== null) handler(this.#lost);
    else this.#lostHandlers.add(handler);
  }

  /** Ends the loops; waits for a beat that is under way, at most half of the dead time. */
  async stop(): Promise<void> {
    const { clock, timing } = this.#medium;
    this.#stopping.abort();
    const timer = new AbortController();
    const late = clock.sleep(timing.deadMs / 2, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#loops), late]);
    timer.abort();
  }

  /** The loop of one volume, until the end or loss. */
  async #beat(volume: Volume, index: number): Promise<void> {
    const table = volume.allocate(hostTableBytes(this.#medium.identity.layout));
    let lateWrites = 0;
    for (let heartbeat = this.#block.heartbeat + 1; await this.#sleepsToBeat(); heartbeat++) {
      try {
        const found = await this.#look(volume, index, table);
        const foreign = found !== null && found.claim !== this.#block.claim;
        lateWrites = foreign ? lateWrites + 1 : 0;
        if (foreign && (isNewer(found, this.#block) || lateWrites > LATE_WRITES_MAX)) {
          return this.#lose(`"${found.name}" wrote its host block`);
        }
        if (this.#stopping.signal.aborted) return;
        const startMs = this.#medium.clock.monotonicMs();
        if (this.#loseWhenLate(startMs)) return;
        await writeHostBlock(this.#medium.identity, volume, { ...this.#block, heartbeat });
        // A fence may have looked just before it landed.
        if (this.#loseWhenLate(this.#medium.clock.monotonicMs())) return;
        this.#beatMs = startMs;
      } catch (error) {
        this.#trouble = error;
      }
    }
  }

  /** Reads what the volume says of all hosts, by way of `into`. @returns our own block */
  async #look(volume: Volume, index: number, into: Uint8Array): Promise<HostBlock | null> {
    const { identity, clock } = this.#medium;
    const { hostId } = this.#block;
    const table = await readHostTable(identity, volume, into);
    this.#tables[index] = table;
    this.#observer.observe(this.#tables, clock.monotonicMs());
    return table.get(hostId) ?? await readWholeHostBlock(identity, volume, { hostId, clock });
  }

  /** Does no I/O, so nothing that hangs can hide from it. */
  async #watch(): Promise<void> {
    const { clock, timing } = this.#medium;
    for (let late = false;;) {
      // Beats that go on put it off: an idle process is not woken for it.
      const restMs = this.#beatMs + timing.deadMs / 2 - clock.monotonicMs();
      const pauseMs = Math.max(restMs, timing.heartbeatMs / 2);
      if (!await this.#sleeps(pauseMs)) return;
      const nowMs = clock.monotonicMs();
      if (this.#loseWhenLate(nowMs)) return;
      const silentMs = nowMs - this.#beatMs;
      const before = late;
      late = silentMs >= timing.deadMs / 2;
      // Our own process may have stood still: then the beats are due as well, they go first.
      if (!late || !before) continue;
      return this.#lose(`no heartbeat for ${Math.round(silentMs)} ms`, this.#trouble);
    }
  }

  #loseWhenLate(nowMs: number): boolean {
    const silentMs = nowMs - this.#beatMs;
    if (silentMs < lateBeatMs(this.#medium.timing)) return false;
    this.#lose(`this process stood still for ${Math.round(silentMs)} ms`, this.#trouble);
    return true;
  }

  /** Waits for the next beat, the same moment for all volumes. @returns false when the loops end */
  #sleepsToBeat(): Promise<boolean> {
    const { clock, timing: { heartbeatMs } } = this.#medium;
    const sinceMs = clock.monotonicMs() - this.#startMs;
    // A volume that was slow leaves a beat out and comes back into step.
    const beats = Math.floor(sinceMs / heartbeatMs + 0.5) + 1;
    return this.#sleeps(beats * heartbeatMs - sinceMs);
  }

  /** @returns false when the loops end */
  async #sleeps(ms: number): Promise<boolean> {
    const { signal } = this.#stopping;
    try {
      await this.#medium.clock.sleep(ms, { signal });
    } catch {
      return false;
    }
    return !signal.aborted;
  }

  #lose(found: string, cause?: unknown): void {
    if (this.#lost !== null || this.#stopping.signal.aborted) return;
    this.#lost = new AgentError(
      "reset",
      `Cannot hold host ${this.#block.hostId} of storage transport group ` +
        `"${this.#medium.identity.name}": ${found}, need to be its only writer`,
      { cause, hint: "Check that no other agent has the same `host` number." },
    );
    this.#stopping.abort();
    for (const handler of this.#lostHandlers) handler(this.#lost);
  }
}

function isNewer(found: HostBlock, own: HostBlock): boolean {
  return found.generation > own.generation;
}
