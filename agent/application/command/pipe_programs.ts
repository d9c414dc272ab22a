// One program that has a named pipe for each stream. Its standard output is no data then: vendors'
// tools put their errors there, so it is kept beside the standard error.

import type { Files } from "../../../transport/runtime/files.ts";
import { wordsOf } from "./command_words.ts";
import { tooMuch } from "./damaged_parts.ts";
import { PipeFolder, type PipePlace } from "./pipe_folder.ts";
import { PipeReader } from "./pipe_reader.ts";
import { PipeWait } from "./pipe_wait.ts";
import { PipeWriter } from "./pipe_writer.ts";
import { ProgramStream } from "./program_stream.ts";
import type { Programs, ProgramsOptions, StreamSink, StreamSource } from "./programs.ts";

export interface PipeProgramsOptions extends ProgramsOptions {
  readonly pipes: PipePlace & { readonly openWithinMs: number };
}

export class PipePrograms implements Programs {
  readonly #files: Files;
  readonly #folder: PipeFolder;
  readonly #program: ProgramStream;
  readonly #wait: PipeWait;
  readonly #ended = new AbortController();
  #open: readonly Disposable[] = [];
  #ending: Promise<void> | null = null;

  constructor(options: PipeProgramsOptions) {
    const { files, clock, command, streams, pipes, signal } = options;
    this.#files = files;
    this.#folder = PipeFolder.make(files, pipes, streams);
    const words = wordsOf(command, { pipes: this.#folder.paths });
    this.#program = new ProgramStream({ ...options, command: words });
    this.#program.pipe.endInput();
    this.#program.keepOutput();
    this.#wait = new PipeWait({
      clock,
      openWithinMs: pipes.openWithinMs,
      exitCode: () => this.#program.exitCode,
      signal: AbortSignal.any([signal, this.#ended.signal]),
    });
  }

  sources(): readonly StreamSource[] {
    const readers = this.#folder.paths.map((path) => new PipeReader(this.#files, path, this.#wait));
    this.#open = readers;
    return readers.map((reader) => ({
      read: async () => {
        const { exitCode } = this.#program;
        if (exitCode !== null && exitCode !== 0) await this.#program.requireSuccess();
        const bytes = await reader.read();
        if (bytes === null) await this.#program.requireSuccess();
        return bytes;
      },
    }));
  }

  sinks(): readonly StreamSink[] {
    const writers = this.#folder.paths.map((path) => new PipeWriter(this.#files, path, this.#wait));
    this.#open = writers;
    const taken = async (taking: Promise<boolean>) => {
      if (await taking) return;
      await this.#program.requireSuccess();
      throw tooMuch();
    };
    return writers.map((writer) => ({
      write: (bytes) => taken(writer.write(bytes)),
      end: async () => {
        await taken(writer.end());
        await this.#program.requireSuccess();
      },
    }));
  }

  end(): Promise<void> {
    return this.#ending ??= this.#endAll();
  }

  async #endAll(): Promise<void> {
    await this.#program.end();
    this.#ended.abort();
    for (const pipe of this.#open) pipe[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}
