// A program of the client's configuration while bytes go through it: what it says on its standard
// error, and its end, which is an error unless it is 0.
//
// Invariant: once `end` settled, the program and what it started are gone, killed if need be.

import { AgentError } from "../../../transport/ground/error.ts";
import { withDeadline } from "../../../transport/ground/deadline.ts";
import type { Clock, PipedProcess, Process } from "../../../transport/runtime/runtime.ts";
import { COMMAND_GRACE_MS, COMMAND_TEXT_MAX } from "../limits.ts";

export interface ProgramOptions {
  readonly process: Process;
  readonly clock: Clock;
  /** The program and its arguments: no shell reads them. */
  readonly command: readonly string[];
  /** Variables beside those of the daemon. */
  readonly environment: Readonly<Record<string, string>>;
}

export class ProgramStream {
  readonly pipe: PipedProcess;
  readonly #clock: Clock;
  readonly #name: string;
  #text = "";
  #exitCode: number | null = null;

  constructor({ process, clock, command, environment }: ProgramOptions) {
    this.#clock = clock;
    this.#name = command[0] ?? "";
    this.pipe = process.startPiped(command, {
      environment,
      onErrorText: (more) => this.#text = (this.#text + more).slice(-COMMAND_TEXT_MAX),
    });
    void this.pipe.ended.then((code) => this.#exitCode = code);
  }

  /** Null while it runs. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** The error of a program that did not end with 0. */
  failure(): AgentError {
    const said = this.#text.trim() === "" ? "" : `: ${this.#text.trim()}`;
    const message = `Cannot go on: "${this.#name}" ended with ${this.#exitCode}${said}`;
    return new AgentError("failed", message, {
      hint: "Run the command of the database by hand, as the agent's user.",
    });
  }

  /** Ends the program, if it runs. */
  async end(): Promise<void> {
    if (this.#exitCode !== null) return;
    this.pipe.kill("SIGTERM");
    const deadline = { timeoutMs: COMMAND_GRACE_MS, action: "end a program" };
    try {
      await withDeadline(this.#clock, deadline, () => this.pipe.ended);
    } catch {
      this.pipe.kill("SIGKILL");
      await this.pipe.ended;
    }
  }
}
