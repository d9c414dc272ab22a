// The programs of a job and the streams of bytes that go through them: each stream has a program of
// its own and goes through its standard output or input, or one program has a named pipe for each.
//
// Invariants:
//  1. A source ends, and a sink's `end` returns, only when the program ended with 0.
//  2. Once `end` settled, the programs, what they started and the pipes are gone.

import type { Clock, Process } from "../../../transport/runtime/runtime.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import { PipePrograms } from "./pipe_programs.ts";
import type { PipePlace } from "./pipe_folder.ts";
import { StdioPrograms } from "./stdio_programs.ts";

export interface ProgramsOptions {
  readonly process: Process;
  readonly clock: Clock;
  readonly files: Files;
  /** The program and its arguments (command_words.ts): no shell reads them. */
  readonly command: readonly string[];
  /** Variables beside those of the daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly streams: number;
  /** Null: standard output and input. */
  readonly pipes: PipePlace & { readonly openWithinMs: number } | null;
  /** Ends the programs. */
  readonly signal: AbortSignal;
}

/** What comes out of one stream. */
export interface StreamSource {
  /**
   * The next bytes, valid until the next call; null at the end.
   * @throws AgentError when the program failed
   */
  read(): Promise<Uint8Array | null>;
}

/** What goes into one stream. */
export interface StreamSink {
  /** @throws AgentError when the program failed, or does not take so much */
  write(bytes: Uint8Array): Promise<void>;
  /** The stream is whole; waits for the program to take it and to end. @throws as `write` */
  end(): Promise<void>;
}

export interface Programs {
  /** The other way must not be used then. */
  sources(): readonly StreamSource[];
  sinks(): readonly StreamSink[];
  /** Ends the programs, if they run. */
  end(): Promise<void>;
}

/** Starts them. @throws AgentError `failed` when the pipes cannot be made */
export function startPrograms(options: ProgramsOptions): Programs {
  const { pipes, signal } = options;
  const programs = pipes === null
    ? new StdioPrograms(options)
    : new PipePrograms({ ...options, pipes });
  signal.addEventListener("abort", () => void programs.end(), { once: true });
  return programs;
}
