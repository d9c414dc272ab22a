// The producer of a command: what programs write, as members of one frame each, since a tar member
// needs its size before its content and nobody knows how much will come. Of several streams the
// parts stand in the order in which they came (part_path.ts says how they are told apart).
//
// Invariant: the stream is ended only when all programs ended with 0; one that fails makes no
// backup, whatever was written.

import { Change } from "../../../transport/ground/change.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import type { Entry } from "../../entry.ts";
import type { TarFrame } from "../../record.ts";
import { paddingBytes } from "../../tar/mod.ts";
import type { Producer } from "../application.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { endStream, planMember } from "../member_stream.ts";
import { partPath } from "./part_path.ts";
import { type ProgramsOptions, startPrograms, type StreamSource } from "./programs.ts";

const PART_MODE = 0o600;
/** Header and padding of a part, at most, in bytes. */
const AROUND_BYTES = 4096;
/** Where the content of a part stands in its memory: headers mostly have so many bytes. */
const CONTENT_AT = 1536;
const encoder = new TextEncoder();

export interface ProduceCommandOptions extends ProgramsOptions {
  /** Folder of the parts in the stream: the name of the database. */
  readonly name: string;
  readonly owner: Pick<Entry, "uid" | "gid">;
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
}

/** A producer, and what its caller awaits when it gives null. */
export interface CommandBackup {
  readonly producer: Producer;
  /** More is there, or a program ended. */
  readonly ready: () => Promise<void>;
  /** Ends the programs, if they run. */
  readonly end: () => Promise<void>;
}

/** Starts the programs. @throws AgentError (the producer) `failed` | `timeout` | `cancelled` */
export function produceCommand(options: ProduceCommandOptions): CommandBackup {
  const programs = startPrograms(options);
  const change = new Change();
  const outputs = programs.sources().map((source) => new StreamOutput(source, change));
  return {
    producer: produce(outputs, options),
    ready: async () => {
      const { signal } = options;
      if (outputs.filter((output) => output.isReady()).length === 0) await change.next({ signal });
    },
    end: () => programs.end(),
  };
}

function* produce(outputs: readonly StreamOutput[], options: ProduceCommandOptions): Producer {
  const frames = new FrameAssembler(options);
  const all = outputs.map((output, index) => ({
    output,
    parts: new Parts(frames, index, options),
  }));
  const open = new Set(all);
  while (open.size > 0) {
    if (options.signal.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
    let isIdle = true;
    for (const stream of open) {
      const bytes = stream.output.take();
      if (bytes === null) continue;
      isIdle = false;
      if (bytes.length > 0) yield* stream.parts.add(bytes);
      else {
        yield* stream.parts.finish();
        open.delete(stream);
      }
    }
    if (isIdle) yield null;
  }
  yield* endStream(frames);
  return frames.totals;
}

/** What comes out of a stream, one piece ahead. */
class StreamOutput {
  readonly #source: StreamSource;
  readonly #change: Change;
  #piece: Uint8Array | null = null;
  #failure: unknown = null;
  #isReading = false;
  #isOver = false;

  /** @param change notified of each piece, of the end, and of a failure */
  constructor(source: StreamSource, change: Change) {
    this.#source = source;
    this.#change = change;
  }

  /** The next piece; empty at the end, null when there is none yet. */
  take(): Uint8Array | null {
    if (this.#failure !== null) throw this.#failure;
    const piece = this.#piece;
    this.#piece = null;
    return piece;
  }

  /** True when something can be taken; else it is being read, unless the end was taken. */
  isReady(): boolean {
    if (this.#piece !== null || this.#failure !== null) return true;
    if (!this.#isReading && !this.#isOver) void this.#read();
    return false;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const bytes = await this.#source.read();
      this.#isOver = bytes === null;
      this.#piece = bytes ?? new Uint8Array(0);
    } catch (error) {
      this.#failure = error;
    }
    this.#isReading = false;
    this.#change.notify();
  }
}

/** Cuts what comes of one stream into members, each of them a frame, whose memory it fills. */
class Parts {
  readonly #frames: FrameAssembler;
  readonly #index: number;
  readonly #options: ProduceCommandOptions;
  readonly #partBytes: number;
  #buffer: Uint8Array;
  #fill = 0;
  #count = 0;

  constructor(frames: FrameAssembler, index: number, options: ProduceCommandOptions) {
    this.#frames = frames;
    this.#index = index;
    this.#options = options;
    this.#partBytes = frames.frameBytes - AROUND_BYTES;
    this.#buffer = new Uint8Array(frames.frameBytes);
  }

  *add(bytes: Uint8Array): Generator<TarFrame, void, void> {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#fill === this.#partBytes) yield this.#cut();
      const piece = rest.subarray(0, this.#partBytes - this.#fill);
      this.#buffer.set(piece, CONTENT_AT + this.#fill);
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
    const contentBytes = this.#fill;
    this.#fill = 0;
    const { name, owner, clock, streams } = this.#options;
    const place = { index: this.#index, count: streams };
    const entry: Entry = {
      path: encoder.encode(partPath(name, place, this.#count)),
      type: "file",
      mode: PART_MODE,
      uid: owner.uid,
      gid: owner.gid,
      sizeBytes: contentBytes,
      mtimeNs: BigInt(Math.round(clock.wallMs())) * 1_000_000n,
      ctimeNs: 0n,
      inode: 0n,
      target: null,
      rdev: null,
    };
    const plan = planMember(entry, { sparse: null, xattrs: [] });
    const at = plan.header.length;
    if (at !== CONTENT_AT) this.#buffer.copyWithin(at, CONTENT_AT, CONTENT_AT + contentBytes);
    this.#buffer = this.#frames.exchange(this.#buffer);
    this.#frames.addRow(plan.entry, plan.tarBytes);
    this.#frames.append(plan.header);
    this.#frames.advance(contentBytes, contentBytes);
    this.#frames.append(new Uint8Array(paddingBytes(contentBytes)));
    return { ...this.#frames.cut(), lane: this.#index };
  }
}
