// Programs that write their standard output, or read their standard input: one for each stream.

import { wordsOf } from "./command_words.ts";
import { tooMuch } from "./damaged_parts.ts";
import { ProgramStream } from "./program_stream.ts";
import type { Programs, ProgramsOptions, StreamSink, StreamSource } from "./programs.ts";

export class StdioPrograms implements Programs {
  readonly #programs: readonly ProgramStream[];

  constructor(options: ProgramsOptions) {
    const { command, streams } = options;
    this.#programs = Array.from({ length: streams }, (_, index) => {
      const words = streams === 1 ? command : wordsOf(command, { stream: index + 1 });
      return new ProgramStream({ ...options, command: words });
    });
  }

  sources(): readonly StreamSource[] {
    return this.#programs.map((program) => {
      program.pipe.endInput();
      return { read: () => readFrom(program) };
    });
  }

  sinks(): readonly StreamSink[] {
    return this.#programs.map((program) => {
      program.dropOutput();
      return {
        write: (bytes) => writeTo(program, bytes),
        end: async () => {
          program.pipe.endInput();
          await program.requireSuccess();
        },
      };
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.end()));
  }
}

async function readFrom(program: ProgramStream): Promise<Uint8Array | null> {
  const bytes = await program.pipe.read();
  if (bytes === null) await program.requireSuccess();
  return bytes;
}

async function writeTo(program: ProgramStream, bytes: Uint8Array): Promise<void> {
  try {
    await program.pipe.write(bytes);
  } catch {
    // It does not want the rest; its end says why.
    await program.end();
    await program.requireSuccess();
    throw tooMuch();
  }
}
