// The producer of a command: what a program writes to its standard output, as members of one frame
// each, since a tar member needs its size before its content and nobody knows how much will come.
//
//   NAME/000000001, NAME/000000002, …    put end to end they are what the program wrote
//
// Invariant: the stream is ended only when the program ended with 0; a program that fails makes no
// backup, whatever it wrote.

import { AgentError } from "../../../transport/ground/error.ts";
import type { Entry } from "../../entry.ts";
import type { TarFrame } from "../../record.ts";
import { paddingBytes } from "../../tar/mod.ts";
import type { Producer } from "../application.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { endStream, planMember } from "../member_stream.ts";
import { type ProgramOptions, ProgramStream } from "./program_stream.ts";

const PART_DIGITS = 9;
const PART_MODE = 0o600;
/** Header and padding of a part, at most, in bytes. */
const AROUND_BYTES = 4096;
const encoder = new TextEncoder();

export interface ProduceCommandOptions extends ProgramOptions {
  /** Folder of the parts in the stream: the name of the database. */
  readonly name: string;
  readonly owner: Pick<Entry, "uid" | "gid">;
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** A producer, and what its caller awaits when it gives null. */
export interface CommandBackup {
  readonly producer: Producer;
  /** More is there, or the program ended. */
  readonly ready: () => Promise<void>;
  /** Ends the program, if it runs. */
  readonly end: () => Promise<void>;
}

/** Starts the program. @throws AgentError (the producer) `failed` | `cancelled` */
export function produceCommand(options: ProduceCommandOptions): CommandBackup {
  const program = new ProgramStream(options);
  options.signal.addEventListener("abort", () => void program.end());
  const output = new ProgramOutput(program);
  return {
    producer: produce(output, options),
    ready: () => output.more(),
    end: () => program.end(),
  };
}

function* produce(output: ProgramOutput, options: ProduceCommandOptions): Producer {
  const frames = new FrameAssembler(options);
  const parts = new Parts(frames, options);
  for (;;) {
    if (options.signal.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
    const bytes = output.take();
    if (bytes === null) {
      yield null;
      continue;
    }
    if (bytes.length === 0) break;
    yield* parts.add(bytes);
  }
  yield* parts.finish();
  yield* endStream(frames);
  return frames.totals;
}

/** The output of a program, one piece ahead. */
class ProgramOutput {
  readonly #program: ProgramStream;
  #piece: Uint8Array | null = null;
  #failure: unknown = null;

  constructor(program: ProgramStream) {
    this.#program = program;
    program.pipe.endInput();
  }

  /** The next piece; empty at the end, null when `more` is to be awaited first. */
  take(): Uint8Array | null {
    if (this.#failure !== null) throw this.#failure;
    const piece = this.#piece;
    if (piece === null || piece.length > 0) this.#piece = null;
    return piece;
  }

  async more(): Promise<void> {
    const bytes = await this.#program.pipe.read();
    if (bytes !== null) {
      this.#piece = bytes;
      return;
    }
    await this.#program.pipe.ended;
    if (this.#program.exitCode === 0) this.#piece = new Uint8Array(0);
    else this.#failure = this.#program.failure();
  }
}

/** Cuts what comes into members, each of them a frame. */
class Parts {
  readonly #frames: FrameAssembler;
  readonly #options: ProduceCommandOptions;
  readonly #part: Uint8Array;
  #fill = 0;
  #count = 0;

  constructor(frames: FrameAssembler, options: ProduceCommandOptions) {
    this.#frames = frames;
    this.#options = options;
    this.#part = new Uint8Array(frames.frameBytes - AROUND_BYTES);
  }

  *add(bytes: Uint8Array): Generator<TarFrame, void, void> {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#fill === this.#part.length) yield this.#cut();
      const piece = rest.subarray(0, this.#part.length - this.#fill);
      this.#part.set(piece, this.#fill);
      this.#fill += piece.length;
      rest = rest.subarray(piece.length);
    }
  }

  /** The last part; there is one even if nothing came. */
  *finish(): Generator<TarFrame, void, void> {
    yield this.#cut();
  }

  #cut(): TarFrame {
    this.#count += 1;
    const content = this.#part.subarray(0, this.#fill);
    this.#fill = 0;
    const { name, owner, clock } = this.#options;
    const number = String(this.#count).padStart(PART_DIGITS, "0");
    const entry: Entry = {
      path: encoder.encode(`/${name}/${number}`),
      type: "file",
      mode: PART_MODE,
      uid: owner.uid,
      gid: owner.gid,
      sizeBytes: content.length,
      mtimeNs: BigInt(Math.round(clock.wallMs())) * 1_000_000n,
      ctimeNs: 0n,
      inode: 0n,
      target: null,
      rdev: null,
    };
    const plan = planMember(entry, { sparse: null, xattrs: [] });
    this.#frames.addRow(plan.entry, plan.tarBytes);
    this.#frames.append(plan.header);
    this.#frames.window.set(content);
    this.#frames.advance(content.length, content.length);
    this.#frames.append(new Uint8Array(paddingBytes(content.length)));
    return this.#frames.cut();
  }
}
