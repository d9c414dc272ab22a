// The receiving half of a restore of several streams, on the client: it asks for records of each
// stream as its program takes them, so that it always has room for what comes, and no stream waits
// for another one.
//
// Invariant: of a stream at most STREAM_RECORDS_MAX records are asked for and not taken; whatever
// comes is received at once.

import {
  AgentError,
  AssertionFailure,
  freeBytes,
  fromErrorRecord,
  orCancelled,
} from "../../transport/mod.ts";
import type { CommandRestorer } from "../application/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  STREAM_RECORDS_MAX,
  unlessBroken,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { RestoreRecord } from "../record.ts";
import { openRecord, type ReceiveRestoreOptions } from "./receive_restore.ts";

export interface ReceiveStreamsOptions
  extends Pick<ReceiveRestoreOptions, "link" | "opener" | "totals"> {
  readonly streams: number;
}

/** The consumer, as far as its streams are known here. */
export type StreamConsumer = Pick<
  CommandRestorer,
  "feed" | "taken" | "endStream" | "written" | "finish" | "abort"
>;

/** @throws AgentError what a program or the server reports, `reset`, `cancelled` */
export async function receiveStreams(
  session: WorkerSession,
  consumer: StreamConsumer,
  options: ReceiveStreamsOptions,
): Promise<WorkerResult> {
  const { link } = options;
  try {
    await new StreamsInWork(session, consumer, options).receiveAll();
    session.throwIfCancelled();
    const { files, bytes } = consumer.finish();
    await link.send({ type: "result", warnings: 0, backup: null, status: "ok", files, bytes });
    return { status: "ok", backup: null, files, bytes };
  } catch (error) {
    consumer.abort();
    throw error;
  }
}

/** How far one stream is. */
interface StreamState {
  taken: number;
  /** Count of all its records; null before the server said so. */
  total: number | null;
  isEnding: boolean;
}

class StreamsInWork {
  readonly #session: WorkerSession;
  readonly #consumer: StreamConsumer;
  readonly #options: ReceiveStreamsOptions;
  readonly #link: JobLink;
  readonly #streams: StreamState[];
  /** Fires with what ends the job from the side of the programs. */
  readonly #failed = new AbortController();
  readonly #allEnded = Promise.withResolvers<void>();
  #open: number;
  /** Records that came, and how many there are; null before the server said so. */
  #received = 0;
  #records: number | null = null;
  /** The records before the next one are with the consumer. */
  #fed: Promise<void> = Promise.resolve();

  constructor(session: WorkerSession, consumer: StreamConsumer, options: ReceiveStreamsOptions) {
    this.#session = session;
    this.#consumer = consumer;
    this.#options = options;
    this.#link = options.link;
    this.#open = options.streams;
    this.#streams = Array.from(
      { length: options.streams },
      () => ({ taken: 0, total: null, isEnding: false }),
    );
  }

  async receiveAll(): Promise<void> {
    for (const stream of this.#streams.keys()) await this.#want(stream, STREAM_RECORDS_MAX);
    // The end may overtake records that travel on other connections.
    while (this.#records === null || this.#received < this.#records) {
      const message = await orCancelled(this.#link.receive(), this.#failed.signal);
      this.#session.throwIfCancelled();
      if (message.kind === "restore") await this.#take(message.record);
      else if (message.kind === "document") this.#read(message.document);
      else throw new AgentError("reset", "Cannot go on with the restore: found a backup's record");
    }
    await orCancelled(this.#allEnded.promise, this.#failed.signal);
  }

  #read(document: LinkDocument): void {
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "trace") this.#session.addPeerSteps(document.steps);
    else if (document.type === "stream-end") this.#end(document.stream, document.records);
    else if (document.type === "end") this.#records = document.records;
    else {
      const message = `Cannot go on with the restore: found a "${document.type}" message`;
      throw new AgentError("reset", message);
    }
  }

  /** Decompresses some at once, and feeds them in order. */
  async #take(record: RestoreRecord): Promise<void> {
    this.#received += 1;
    const opening = openRecord(this.#options.opener, record);
    opening.catch(() => {}); // Taken below, after those before it.
    this.#fed = this.#fed.then(async () => {
      const pieces = await opening;
      const stream = this.#consumer.feed(pieces);
      if (pieces.tar !== null) freeBytes(pieces.tar);
      this.#inBackground(() => this.#give(stream));
    }).catch((error) => this.#failed.abort(asFailure(error)));
    const { totals } = this.#options;
    const counts = { phase: "writing", ...this.#consumer.written(), ...totals } as const;
    if (this.#session.progress(counts)) await this.#link.send({ type: "progress", ...counts });
  }

  /** Waits for a stream's program to take what came, and asks for more. */
  async #give(index: number): Promise<void> {
    await this.#consumer.taken(index);
    const stream = this.#streams[index];
    if (stream === undefined) return;
    stream.taken += 1;
    if (stream.total === null) await this.#want(index, 1);
    this.#endWhenWhole(index);
  }

  #end(index: number, records: number): void {
    const stream = this.#streams[index];
    if (stream === undefined || stream.total !== null) {
      throw new AgentError("reset", "Cannot go on with the restore: found another end of a stream");
    }
    stream.total = records;
    this.#endWhenWhole(index);
  }

  #endWhenWhole(index: number): void {
    const stream = this.#streams[index];
    if (stream === undefined || stream.taken !== stream.total || stream.isEnding) return;
    stream.isEnding = true;
    this.#inBackground(async () => {
      await this.#consumer.endStream(index);
      this.#open -= 1;
      if (this.#open === 0) this.#allEnded.resolve();
    });
  }

  #want(stream: number, records: number): Promise<void> {
    return this.#link.send({ type: "stream-wanted", stream, records }).catch(unlessBroken);
  }

  #inBackground(work: () => Promise<void>): void {
    work().catch((error) => this.#failed.abort(asFailure(error)));
  }
}

/** As the reason of a signal. */
function asFailure(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (error instanceof AssertionFailure) throw error; // Nobody catches it: it ends the process.
  return new AgentError("failed", `Cannot go on with the restore: ${String(error)}`, {
    cause: error,
  });
}
