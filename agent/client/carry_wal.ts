// Carries the write-ahead log of a database on the client's worker: takes what the main thread asks
// for (wal_desk.ts), one thing after the other, compresses what goes to the server and proves what
// comes back. The connection is made once and stands, so that a push runs no set-up.
//
// Invariants: a push is answered when the server said that the file is durable, never before; a
// file that is fetched is proved by its frame's checksum before it is handed out; the link is
// always listened to, so that its end is noticed while nothing is asked.

import { AgentError, fromErrorRecord, toErrorRecord, WAL_VERSION } from "../../transport/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  type LinkMessage,
  receivePieces,
  sendPieces,
  WAL_FILE_BYTES_MAX,
  type WalAction,
  type WalAnswer,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { checkZstdFrame, compressFrameAside, decompressFrame } from "../media/mod.ts";

export interface CarryWalOptions {
  readonly database: string;
  /** Version of the job protocol. */
  readonly version: number;
  /** zstd level. */
  readonly level: number;
  /** True when the connection is one of the network, whose silence tells nothing. */
  readonly onNetwork: boolean;
}

/** Answers requests until the connection ends. @throws AgentError why it ended */
export async function carryWal(
  session: WorkerSession,
  link: JobLink,
  { database, version, level, onNetwork }: CarryWalOptions,
): Promise<WorkerResult> {
  if (version < WAL_VERSION) throw olderServer();
  if (onNetwork) link.watchNetwork();
  await link.send({ type: "archive-wal", database });
  const carrier = new Carrier(session, link, level);
  await carrier.ready();
  session.running("archive-wal");
  for (;;) {
    const { id, action } = await carrier.unlessItEnds(session.walRequests.next(link.over));
    session.answerWal(id, await carrier.carry(action));
  }
}

class Carrier {
  readonly #session: WorkerSession;
  readonly #link: JobLink;
  readonly #level: number;
  /** What comes next; asked for at once, so that the end of the link shows. */
  #next: Promise<LinkMessage> | null = null;

  constructor(session: WorkerSession, link: JobLink, level: number) {
    this.#session = session;
    this.#link = link;
    this.#level = level;
  }

  async ready(): Promise<void> {
    const document = await this.#document();
    if (document.type !== "wal-ready") throw outOfTurn(document.type);
  }

  /** Waits for `wait`, or for the end of the link. */
  async unlessItEnds<T>(wait: Promise<T>): Promise<T> {
    const spoke = this.#listen().then(({ kind }) => {
      throw outOfTurn(kind);
    });
    return await Promise.race([wait, spoke]);
  }

  /** @throws AgentError when the link ended; whatever else fails is the answer */
  async carry(action: WalAction): Promise<WalAnswer> {
    return action.type === "push" ? await this.#push(action) : await this.#get(action);
  }

  async #push({ system, name, bytes }: Extract<WalAction, { type: "push" }>): Promise<WalAnswer> {
    const frame = await compressFrameAside(bytes, this.#level);
    const lengths = { bytes: bytes.length, compressedBytes: frame.length };
    await this.#link.send({ type: "wal-push", system, name, ...lengths });
    await sendPieces(this.#link, frame);
    const answer = await this.#document();
    if (answer.type === "wal-pushed") return { type: answer.outcome };
    return refusal(answer);
  }

  async #get({ system, name }: Extract<WalAction, { type: "get" }>): Promise<WalAnswer> {
    await this.#link.send({ type: "wal-get", system, name });
    const answer = await this.#document();
    if (answer.type === "wal-absent") return { type: "absent" };
    if (answer.type !== "wal-file") return refusal(answer);
    const frame = await receivePieces(answer.compressedBytes, () => this.#receive());
    try {
      return { type: "file", bytes: decompressed(frame) };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { type: "refused", error: toErrorRecord(error) };
    }
  }

  async #document(): Promise<LinkDocument> {
    for (;;) {
      const message = await this.#receive();
      if (message.kind !== "document") throw outOfTurn(message.kind);
      const { document } = message;
      if (document.type === "error") throw fromErrorRecord(document.error);
      if (document.type !== "trace") return document;
      this.#session.addPeerSteps(document.steps);
    }
  }

  #listen(): Promise<LinkMessage> {
    return this.#next ??= this.#link.receive();
  }

  async #receive(): Promise<LinkMessage> {
    const message = await this.#listen();
    this.#next = null;
    return message;
  }
}

function refusal(document: LinkDocument): WalAnswer {
  if (document.type !== "wal-refused") throw outOfTurn(document.type);
  return { type: "refused", error: document.error };
}

function decompressed(frame: Uint8Array): Uint8Array {
  const { contentBytes } = checkZstdFrame(frame);
  if (contentBytes <= WAL_FILE_BYTES_MAX) return decompressFrame(frame, contentBytes);
  const message = `Cannot take a file of the log: found ${contentBytes} bytes, need at most ` +
    `${WAL_FILE_BYTES_MAX}`;
  throw new AgentError("damaged", message);
}

function outOfTurn(found: string): AgentError {
  return new AgentError("reset", `Cannot go on with the log: found "${found}" out of turn`);
}

function olderServer(): AgentError {
  return new AgentError(
    "mismatch",
    "Cannot archive a write-ahead log: the server's agent is of an earlier release",
    { hint: "Install this release on the server." },
  );
}
