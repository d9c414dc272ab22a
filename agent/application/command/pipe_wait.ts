// What both ends of named pipes wait by: a pipe that has nothing yet is looked at again after a
// pause, at once at first. And how long a program may keep all of its pipes waiting for being
// opened.

import { throwIfCancelled } from "../../../transport/ground/cancellation.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import type { Clock } from "../../../transport/runtime/runtime.ts";
import { PIPE_PAUSE_MAX_MS, PIPE_YIELDS } from "../limits.ts";

export interface PipeWaitOptions {
  readonly clock: Clock;
  readonly openWithinMs: number;
  /** The exit code of the program that uses the pipes; null while it runs. */
  readonly exitCode: () => number | null;
  readonly signal: AbortSignal;
}

/** Shared by the pipes of one program: it may use them one after the other. */
export class PipeWait {
  readonly exitCode: () => number | null;
  readonly #options: PipeWaitOptions;
  #lastMs: number;

  constructor(options: PipeWaitOptions) {
    this.#options = options;
    this.exitCode = options.exitCode;
    this.#lastMs = options.clock.monotonicMs();
  }

  /** To be called before each look: a pipe that was closed must not be touched. */
  requireOpen(): void {
    throwIfCancelled(this.#options.signal);
  }

  /** Something moved through one of the pipes. */
  moved(): void {
    this.#lastMs = this.#options.clock.monotonicMs();
  }

  /** @throws AgentError `timeout` when nothing moved for longer than a pipe may stay closed */
  requireOpening(pipe: string): void {
    const { clock, openWithinMs } = this.#options;
    if (clock.monotonicMs() - this.#lastMs <= openWithinMs) return;
    const found = `nobody opened it within ${openWithinMs / 1000} s`;
    throw new AgentError("timeout", `Cannot use the pipe "${pipe}": ${found}`, {
      hint: "Let the program open each pipe that it is given, or raise `open_within`.",
    });
  }

  /** @param turn how often it was looked at in vain */
  async pause(turn: number): Promise<void> {
    const { clock, signal } = this.#options;
    const ms = Math.min(2 ** Math.max(0, turn - PIPE_YIELDS), PIPE_PAUSE_MAX_MS);
    if (turn < PIPE_YIELDS) await clock.yield();
    else await clock.sleep(ms, { signal });
  }
}
