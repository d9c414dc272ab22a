// The consumer of a command's backup: the parts, put end to end, go to the standard input of a
// program, which starts with the first of them.
//
// Invariants: its input ends only after the last part, so that a program which looks for the end of
// its input never takes a cut stream for a whole one; after an error it is killed instead.

import { AgentError } from "../../../transport/ground/error.ts";
import type { TarPieces } from "../../record.ts";
import type { Consumer, Totals } from "../application.ts";
import { RecordReader } from "../record_reader.ts";
import { type ProgramOptions, ProgramStream } from "./program_stream.ts";

export interface CommandRestorerOptions extends ProgramOptions {
  /** Ends the program. */
  readonly signal: AbortSignal;
}

export class CommandRestorer implements Consumer {
  readonly #options: CommandRestorerOptions;
  readonly #reader: RecordReader;
  #program: ProgramStream | null = null;
  /** Content that the program has not taken yet. */
  #waiting: Uint8Array[] = [];
  #isWhole = false;
  #parts = 0;
  #bytes = 0;

  constructor(options: CommandRestorerOptions) {
    this.#options = options;
    this.#reader = new RecordReader({
      member: ({ type }) => {
        if (type !== "file") throw damaged(`a ${type}`);
        this.#parts += 1;
      },
      data: (bytes) => {
        this.#waiting.push(bytes.slice());
        this.#bytes += bytes.length;
      },
      end: () => {},
      lost: () => {
        throw damaged("a part that cannot be read");
      },
    });
  }

  feed(frame: TarPieces): void {
    this.#reader.feed(frame);
  }

  /** @throws AgentError `failed` when the program ended early or not with 0, `cancelled` */
  async settle(): Promise<void> {
    const program = this.#program ??= this.#start();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) await this.#write(program, bytes);
    if (!this.#isWhole) return;
    program.pipe.endInput();
    await program.pipe.ended;
    if (program.exitCode !== 0) throw this.#failure(program);
  }

  written(): Totals {
    return { files: this.#parts, bytes: this.#bytes };
  }

  finish(): Totals {
    this.#reader.finish();
    if (this.#parts === 0) throw damaged("nothing");
    this.#isWhole = true;
    return this.written();
  }

  abort(): void {
    void this.end();
  }

  /** Ends the program, if it runs. */
  async end(): Promise<void> {
    await this.#program?.end();
  }

  async #write(program: ProgramStream, bytes: Uint8Array): Promise<void> {
    try {
      await program.pipe.write(bytes);
    } catch {
      // It does not want the rest; its end says why.
      await program.end();
      throw this.#failure(program);
    }
  }

  #failure(program: ProgramStream): AgentError {
    if (this.#options.signal.aborted) return cancelled();
    return program.exitCode === 0 ? damaged("more than the program takes") : program.failure();
  }

  #start(): ProgramStream {
    if (this.#options.signal.aborted) throw cancelled();
    const program = new ProgramStream(this.#options);
    void dropOutput(program);
    this.#options.signal.addEventListener("abort", () => void program.end());
    return program;
  }
}

function cancelled(): AgentError {
  return new AgentError("cancelled", "Cannot go on: cancelled");
}

/** Nobody reads the program's output, and a full pipe would stop it. */
async function dropOutput(program: ProgramStream): Promise<void> {
  while (await program.pipe.read() !== null);
}

function damaged(found: string): AgentError {
  const message = `Cannot restore: found ${found}, need the parts of a command's output`;
  return new AgentError("damaged", message, {
    hint: "Run `agent verify --data` for the backup.",
  });
}
