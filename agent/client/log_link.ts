// The connection to a server's archive of one log: asks for one thing after the other. Files come
// as they are stored, which nobody has proved yet.
//
// Invariants: a push is answered when the server said that the file is durable, never before;
// "absent" is the server's own word for this request; the link is always listened to, so that its
// end is noticed while nothing is asked.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  type LinkMessage,
  receivePieces,
  sendPieces,
  type WalAnswer,
  type WorkerSession,
} from "../job/mod.ts";

/** A file of a log as it goes to the server: one frame. */
export interface PackedFile {
  /** Identifier of the cluster, decimal. */
  readonly system: string;
  readonly name: string;
  readonly frame: Uint8Array;
  /** Length of its content. */
  readonly bytes: number;
  /** SHA-256 of its content, hex; made when it is asked for. */
  readonly sha256: () => string;
}

export type PushAnswer = Extract<WalAnswer, { type: "stored" | "same" | "refused" }>;
export type GetAnswer = Extract<WalAnswer, { type: "file" | "absent" | "refused" }>;

/** What asks the archive; calls throw AgentError when the link ended, all else is the answer. */
export interface Log {
  push(file: PackedFile): Promise<PushAnswer>;
  /** @param system null for the only cluster that there is */
  get(system: string | null, name: string): Promise<GetAnswer>;
}

export class LogLink implements Log {
  readonly #session: Pick<WorkerSession, "addPeerSteps">;
  readonly #link: JobLink;
  /** What comes next; asked for at once, so that the end of the link shows. */
  #next: Promise<LinkMessage> | null = null;

  constructor(session: Pick<WorkerSession, "addPeerSteps">, link: JobLink) {
    this.#session = session;
    this.#link = link;
  }

  /** The server is ready. @throws AgentError why it is not */
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

  async push({ system, name, frame, bytes }: PackedFile): Promise<PushAnswer> {
    const lengths = { bytes, compressedBytes: frame.length };
    await this.#link.send({ type: "wal-push", system, name, ...lengths });
    await sendPieces(this.#link, frame);
    const answer = await this.#document();
    if (answer.type === "wal-pushed") return { type: answer.outcome };
    return refusal(answer);
  }

  async get(system: string | null, name: string): Promise<GetAnswer> {
    await this.#link.send({ type: "wal-get", system, name });
    const answer = await this.#document();
    if (answer.type === "wal-absent") return { type: "absent" };
    if (answer.type !== "wal-file") return refusal(answer);
    const frame = await receivePieces(answer.compressedBytes, () => this.#receive());
    return { type: "file", frame };
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

function refusal(document: LinkDocument): Extract<WalAnswer, { type: "refused" }> {
  if (document.type !== "wal-refused") throw outOfTurn(document.type);
  return { type: "refused", error: document.error };
}

function outOfTurn(found: string): AgentError {
  return new AgentError("reset", `Cannot go on with the log: found "${found}" out of turn`);
}
