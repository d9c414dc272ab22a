// One connection of a job's link: whole messages in, whole messages out.
//
// Invariants:
//  1. Messages leave in the order of the calls, one after the other; a record's bytes are copied
//     when its turn comes, and must stay as they are until then. Who may have to send it again
//     keeps its `release`.
//  2. After a message was cut nothing more is sent: the peer would not understand it.
//  3. The bytes of a received message are valid until the next one is begun.
//
// It is also what the link knows of any of its connections (MessageLane): numbered_conn.ts is one
// that outlives the connection below it.

import {
  AgentError,
  type Conn,
  readFull,
  readFullOrEnd,
  type WaitOptions,
  writeAll,
} from "../../transport/mod.ts";
import type { DataRecord, ParentChunk, RestoreRecord } from "../record.ts";
import { decodeDocument, type LinkDocument } from "./link_document.ts";
import {
  decodeDataRecord,
  decodeHeader,
  decodeParentChunk,
  decodeRestoreRecord,
  encodeAcknowledgement,
  HEADER_BYTES,
  type LinkKind,
} from "./link_frame.ts";
import { type Outgoing, outgoingDocument } from "./outgoing.ts";

export type LinkMessage =
  | { readonly kind: "document"; readonly document: LinkDocument }
  | { readonly kind: "data"; readonly record: DataRecord }
  | { readonly kind: "restore"; readonly record: RestoreRecord }
  | { readonly kind: "parent"; readonly chunk: ParentChunk }
  | { readonly kind: "piece"; readonly bytes: Uint8Array };

/** What came on a connection; null at the end of its stream. */
export interface Received {
  readonly from: MessageLane;
  readonly message: LinkMessage | null;
}

/** What a connection brings: a message with its size, or how many messages the peer has. */
export type Frame =
  | { readonly message: LinkMessage; readonly bytes: number }
  | { readonly acknowledged: number };

/** A way on which the link's messages travel in order. */
export interface MessageLane {
  /** The message being received or waiting to be taken. */
  pending: Promise<Received> | null;
  /** Bytes that came so far. */
  readonly receivedBytes: number;
  /** Queues a message behind those being sent; resolves when the next one may follow. */
  send(message: Outgoing, options: WaitOptions): Promise<void>;
  /** @throws AgentError `failed` for a document that the peer would not take */
  sendDocument(document: LinkDocument, options: WaitOptions): Promise<void>;
  /** Begins to receive the next message; null at the end of the stream. */
  begin(options: WaitOptions): Promise<Received>;
  /** Gives the peer a sign of life. */
  speak(options: WaitOptions): Promise<void>;
  /** Waits until both sides have what the other sent, where the lane can tell. */
  settle(options: WaitOptions): Promise<void>;
  /** Ends the connection after what was sent. */
  close(options: WaitOptions): Promise<void>;
  abort(reason: string): void;
}

/** One connection of the link: sends one after the other, receives into a buffer of its own. */
export class LinkConn implements MessageLane {
  readonly conn: Conn;
  #sending: Promise<void> = Promise.resolve();
  #outgoing = new Uint8Array(64 * 1024);
  #incoming = new Uint8Array(64 * 1024);
  /** True while a message is sent, and after one was cut: what follows would not be understood. */
  #cut = false;
  pending: Promise<Received> | null = null;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  get receivedBytes(): number {
    return this.conn.counters.receivedBytes;
  }

  /** Resolves when what was queued so far was written, or failed. */
  get sent(): Promise<void> {
    return this.#sending;
  }

  send({ totalBytes, fill, release }: Outgoing, options: WaitOptions): Promise<void> {
    const turn = this.#sending.then(async () => {
      if (this.#cut) throw new AgentError("reset", "Cannot send: an earlier message was cut");
      if (this.#outgoing.length < totalBytes) this.#outgoing = new Uint8Array(totalBytes);
      const message = this.#outgoing.subarray(0, totalBytes);
      fill(message);
      release?.();
      this.#cut = true;
      await writeAll(this.conn, message, options);
      this.#cut = false;
    });
    this.#sending = turn.catch(() => {}); // The sender of that message hears of the failure.
    return turn;
  }

  async sendDocument(document: LinkDocument, options: WaitOptions): Promise<void> {
    await this.send(outgoingDocument(document), options);
  }

  /** Tells the peer how many messages came; queued as a message. */
  acknowledge(count: number, options: WaitOptions = {}): Promise<void> {
    const fill = (into: Uint8Array) => encodeAcknowledgement(count, into);
    return this.send({ totalBytes: HEADER_BYTES, fill }, options);
  }

  begin(options: WaitOptions): Promise<Received> {
    this.pending ??= this.#receiveMessage(options).then((message) => ({ from: this, message }));
    return this.pending;
  }

  speak(options: WaitOptions): Promise<void> {
    return this.sendDocument({ type: "alive", busy: false }, options);
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.conn.close();
  }

  abort(reason: string): void {
    this.conn.abort(reason);
  }

  async #receiveMessage(options: WaitOptions): Promise<LinkMessage | null> {
    const frame = await this.receive(options);
    if (frame === null || "message" in frame) return frame?.message ?? null;
    const message = "Cannot go on with the job: the peer acknowledged what has no numbers";
    throw new AgentError("damaged", message);
  }

  /** The next frame, null at the end of the stream; for whoever does not use `begin`. */
  async receive(options: WaitOptions): Promise<Frame | null> {
    const headerBytes = new Uint8Array(HEADER_BYTES);
    if (!await readFullOrEnd(this.conn, headerBytes, options)) return null;
    const header = decodeHeader(headerBytes);
    if (header.kind === "acknowledgement") return { acknowledged: header.count };
    if (this.#incoming.length < header.length) this.#incoming = new Uint8Array(header.length);
    const payload = this.#incoming.subarray(0, header.length);
    await readFull(this.conn, payload, options);
    return { message: decodeMessage(header.kind, payload), bytes: payload.length };
  }
}

function decodeMessage(kind: LinkKind, payload: Uint8Array): LinkMessage {
  if (kind === "data") return { kind, record: decodeDataRecord(payload) };
  if (kind === "restore") return { kind, record: decodeRestoreRecord(payload) };
  if (kind === "parent") return { kind, chunk: decodeParentChunk(payload) };
  if (kind === "piece") return { kind, bytes: payload };
  return { kind, document: decodeDocument(payload) };
}
