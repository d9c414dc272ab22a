// A program of the client's configuration while it runs: what it says on its standard error, and
// its end, which is an error unless it is 0.
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
  #ending: Promise<void> | null = null;
  #output: Promise<void> = Promise.resolve();

  constructor({ process, clock, command, environment }: ProgramOptions) {
    this.#clock = clock;
    this.#name = command[0] ?? "";
    this.pipe = process.startPiped(command, {
      environment,
      onErrorText: (more) => this.#say(more),
    });
    void this.pipe.ended.then((code) => this.#exitCode = code);
  }

  /** Null while it runs. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Waits for its end. @throws AgentError `failed` unless it is 0 */
  async requireSuccess(): Promise<void> {
    await this.pipe.ended;
    if (this.#exitCode === 0) return;
    // Its last words may still be on their way; others that it started may keep them back.
    await Promise.race([this.#output, this.#clock.sleep(COMMAND_GRACE_MS)]);
    throw this.failure();
  }

  /** Nobody reads its standard output, and a full pipe would stop it. */
  dropOutput(): void {
    this.#output = this.#readOutput(() => {});
  }

  /** Its standard output is no data, but words. */
  keepOutput(): void {
    const decoder = new TextDecoder();
    this.#output = this.#readOutput((bytes) => this.#say(decoder.decode(bytes, { stream: true })));
  }

  /** The error of a program that did not end with 0. */
  failure(): AgentError {
    const said = this.#text.trim() === "" ? "" : `: ${this.#text.trim()}`;
    const message = `Cannot go on: "${this.#name}" ended with ${this.#exitCode}${said}`;
    return new AgentError("failed", message, {
      hint: "Run the command of the database by hand, as the agent's user.",
    });
  }

  #say(more: string): void {
    this.#text = (this.#text + more).slice(-COMMAND_TEXT_MAX);
  }

  async #readOutput(take: (bytes: Uint8Array) => void): Promise<void> {
    for (;;) {
      const bytes = await this.pipe.read();
      if (bytes === null) return;
      take(bytes);
    }
  }

  /** Ends the program, if it runs, and what it left behind. */
  end(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  async #end(): Promise<void> {
    if (this.#exitCode === null) {
      this.pipe.kill("SIGTERM");
      const deadline = { timeoutMs: COMMAND_GRACE_MS, action: "end a program" };
      await withDeadline(this.#clock, deadline, () => this.pipe.ended).catch(() => {}); // Too long.
    }
    this.pipe.kill("SIGKILL");
    await this.pipe.ended;
  }
}
