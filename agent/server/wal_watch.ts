// What the server's status and metrics say of archived logs. Who asks gets what the last count
// found, and starts the next one when that is some seconds old: a count runs beside other work and
// never in the way of who asks.

import { AgentError, SystemError } from "../../transport/mod.ts";
import type { Clock } from "../../transport/runtime/runtime.ts";
import type { WalStatusView } from "../control/wal_report_view.ts";
import type { VaultPlace } from "../vault/mod.ts";
import { type ArchiveCount, WalCensus } from "../wal/mod.ts";
import { WAL_COUNT_AGE_MS } from "./limits.ts";

type WatchClock = Pick<Clock, "monotonicMs" | "wallMs" | "yield">;

export class WalWatch {
  readonly #census: WalCensus;
  readonly #clock: WatchClock;
  readonly #signal: AbortSignal;
  #counts: readonly ArchiveCount[] = [];
  #countedMs: number | null = null;
  #counting: Promise<void> | null = null;

  /** @param signal ends a count */
  constructor(place: VaultPlace, clock: WatchClock, signal: AbortSignal) {
    this.#census = new WalCensus(place);
    this.#clock = clock;
    this.#signal = signal;
  }

  /** What was counted last; nothing before the first count has ended. */
  views(): WalStatusView[] {
    const ageMs = this.#clock.monotonicMs() - (this.#countedMs ?? -Infinity);
    if (ageMs >= WAL_COUNT_AGE_MS) this.#counting ??= this.#count();
    const nowMs = this.#clock.wallMs();
    return this.#counts.map(({ newestMs, ...count }) => ({
      ...count,
      newest: newestMs === null ? null : new Date(newestMs).toISOString(),
      newestAgeSeconds: newestMs === null ? null : Math.max(0, nowMs - newestMs) / 1000,
    }));
  }

  /** Resolves when no count runs. */
  async settled(): Promise<void> {
    await this.#counting;
  }

  /** What cannot be counted now is shown as it was. */
  async #count(): Promise<void> {
    try {
      const steps = this.#census.count();
      for (;;) {
        await this.#clock.yield(); // Also before the first step: who asks does not wait for it.
        if (this.#signal.aborted) return;
        const step = steps.next();
        if (step.done !== true) continue;
        this.#counts = step.value;
        return;
      }
    } catch (error) {
      if (!(error instanceof AgentError || error instanceof SystemError)) throw error;
    } finally {
      this.#countedMs = this.#clock.monotonicMs();
      this.#counting = null;
    }
  }
}
