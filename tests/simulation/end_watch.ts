// Judges how long an end of a simulated connection goes on after the process of the other end died.
//
// Rule: it is over within `limitMs`, whatever hides the death from it. A pause of its own process
// does not count.

import type { RunTrace } from "./run_trace.ts";
import type { SimProcess } from "./sim_process.ts";
import type { Session } from "./sim_world.ts";

export type Role = "connector" | "listener";

interface PlayedEnd {
  readonly name: string;
  readonly process: SimProcess;
  readonly role: Role;
  readonly session: Session;
  /** Since when it has no reason to go on; null while it has. */
  aloneMs: number | null;
}

export class EndWatch {
  readonly #trace: RunTrace;
  readonly #now: () => number;
  readonly #limitMs: number;
  readonly #playing = new Set<PlayedEnd>();
  /** The ends whose process died. */
  readonly #died = new Map<Session, Set<Role>>();

  constructor(trace: RunTrace, options: { readonly now: () => number; readonly limitMs: number }) {
    this.#trace = trace;
    this.#now = options.now;
    this.#limitMs = options.limitMs;
  }

  /** Settles as `play` does. */
  async watch(
    end: { readonly process: SimProcess; readonly session: Session; readonly role: Role },
    play: Promise<void>,
  ): Promise<void> {
    const { session, role, process } = end;
    const alone = this.#died.get(session)?.has(otherOf(role)) ?? false;
    const aloneMs = alone ? this.#now() : null;
    const played: PlayedEnd = { ...end, name: session[role].name, aloneMs };
    this.#playing.add(played);
    let over = false;
    process.gone.then(() => {
      this.#playing.delete(played);
      if (!over) this.#die(session, role);
    });
    try {
      await play;
    } finally {
      over = true;
      this.#playing.delete(played);
    }
  }

  /** After each step. */
  judge(): void {
    const nowMs = this.#now();
    for (const end of this.#playing) {
      if (end.aloneMs === null) continue;
      const sinceMs = Math.max(end.aloneMs, end.process.continuedMs);
      if (nowMs - sinceMs <= this.#limitMs) continue;
      this.#trace.breakRule(`${end.name} goes on ${this.#limitMs} ms after its peer died`);
    }
  }

  #die(session: Session, role: Role): void {
    const died = this.#died.get(session) ?? new Set();
    this.#died.set(session, died.add(role));
    for (const end of this.#playing) {
      if (end.session === session && end.role === otherOf(role)) end.aloneMs ??= this.#now();
    }
  }
}

function otherOf(role: Role): Role {
  return role === "connector" ? "listener" : "connector";
}
