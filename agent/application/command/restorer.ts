// The consumer of a command's backup: the parts of each stream, put end to end, go to a program. It
// starts with the first of them.
//
// Invariants:
//  1. The input of a stream ends only after its last part, so that a program which looks for the
//     end of its input never takes a cut stream for a whole one; after an error it is killed.
//  2. A part is taken only after the one before it of its stream: nothing is left out unseen.
//  3. Streams do not wait for each other: what one has not taken is held for it, and `taken` says
//     when, so that the caller asks for no more of it meanwhile.

import { AgentError } from "../../../transport/ground/error.ts";
import type { TarPieces } from "../../record.ts";
import type { Consumer, Totals } from "../application.ts";
import { RecordReader } from "../record_reader.ts";
import { damagedParts } from "./damaged_parts.ts";
import { partPath } from "./part_path.ts";
import { type Programs, type ProgramsOptions, startPrograms, type StreamSink } from "./programs.ts";
import { StreamInput } from "./stream_input.ts";

export interface CommandRestorerOptions extends ProgramsOptions {
  /** Name of the database that was backed up. */
  readonly name: string;
}

export class CommandRestorer implements Consumer {
  readonly #options: CommandRestorerOptions;
  readonly #reader: RecordReader;
  readonly #inputs: readonly StreamInput[];
  readonly #decoder = new TextDecoder();
  #programs: Programs | null = null;
  #sinks: readonly StreamSink[] = [];
  #isWhole = false;
  /** That of the part which came last. */
  #input: StreamInput;
  #parts = 0;
  #bytes = 0;

  constructor(options: CommandRestorerOptions) {
    this.#options = options;
    const { name, streams: count } = options;
    this.#inputs = Array.from(
      { length: count },
      (_, index) => new StreamInput((part) => partPath(name, { index, count }, part)),
    );
    this.#input = this.#firstInput();
    this.#reader = new RecordReader({
      member: ({ type, path }) => {
        if (type !== "file") throw damagedParts(`a ${type}`);
        this.#select(this.#decoder.decode(path));
        this.#parts += 1;
      },
      data: (bytes) => {
        // A slice would not do: what decompresses gives a Buffer, whose slices are views.
        this.#input.add(new Uint8Array(bytes));
        this.#bytes += bytes.length;
      },
      end: () => {},
      lost: () => {
        throw damagedParts("a part that cannot be read");
      },
    });
  }

  /** @returns the stream that the frame belongs to, counted from 0 */
  feed(frame: TarPieces): number {
    this.#reader.feed(frame);
    return this.#inputs.indexOf(this.#input);
  }

  /**
   * For a backup of one stream.
   * @throws AgentError `failed` when the program ended early or not with 0, `cancelled`
   */
  async settle(): Promise<void> {
    await this.taken(0);
    if (this.#isWhole) await this.endStream(0);
  }

  /** What was fed of a stream has been taken. @throws as `settle` */
  async taken(stream: number): Promise<void> {
    const input = this.#inputs[stream];
    await this.#orCancelled(async () => await input?.drain(this.#sink(stream)));
  }

  /** Nothing more comes of a stream: waits for its program. @throws as `settle` */
  async endStream(stream: number): Promise<void> {
    if (this.#inputs[stream]?.isEmpty !== false) throw damagedParts("nothing of a stream");
    await this.#orCancelled(() => this.#sink(stream).end());
  }

  written(): Totals {
    return { files: this.#parts, bytes: this.#bytes };
  }

  finish(): Totals {
    this.#reader.finish();
    if (this.#parts === 0) throw damagedParts("nothing");
    this.#isWhole = true;
    return this.written();
  }

  abort(): void {
    void this.end();
  }

  /** Ends the programs, if they run. */
  async end(): Promise<void> {
    await this.#programs?.end();
  }

  #firstInput(): StreamInput {
    const [input] = this.#inputs;
    if (input === undefined) throw damagedParts("no stream");
    return input;
  }

  #select(path: string): void {
    const input = this.#inputs.find((one) => one.nextPath() === path);
    if (input === undefined) throw damagedParts(`"${path}" out of its order`);
    input.begin();
    this.#input = input;
  }

  #sink(stream: number): StreamSink {
    const { signal } = this.#options;
    if (signal.aborted) throw cancelled();
    if (this.#programs === null) {
      this.#programs = startPrograms(this.#options);
      this.#sinks = this.#programs.sinks();
    }
    const sink = this.#sinks[stream];
    if (sink === undefined) throw damagedParts(`stream ${stream + 1}`);
    return sink;
  }

  /** A program that was ended for a cancellation did not fail. */
  async #orCancelled(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw this.#options.signal.aborted ? cancelled() : error;
    }
  }
}

function cancelled(): AgentError {
  return new AgentError("cancelled", "Cannot go on: cancelled");
}
