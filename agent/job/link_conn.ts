// One connection of a job's link: whole messages in, whole messages out.
//
// Invariants:
//  1. Messages leave in the order of the calls, one after the other; a record's bytes are read
//     when its turn comes, so they must stay as they are until then.
//  2. After a message was cut nothing more is sent: the peer would not understand it.
//  3. The bytes of a received message are valid until the next one is begun.

import {
  AgentError,
  type Conn,
  readFull,
  readFullOrEnd,
  type WaitOptions,
  writeAll,
} from "../../transport/mod.ts";
import type { DataRecord, ParentChunk, RestoreRecord } from "../record.ts";
import { LINK_DOCUMENT_BYTES_MAX } from "./limits.ts";
import { decodeDocument, encodeDocument, type LinkDocument } from "./link_document.ts";
import {
  decodeDataRecord,
  decodeHeader,
  decodeParentChunk,
  decodeRestoreRecord,
  encodeHeader,
  HEADER_BYTES,
} from "./link_frame.ts";

export type LinkMessage =
  | { readonly kind: "document"; readonly document: LinkDocument }
  | { readonly kind: "data"; readonly record: DataRecord }
  | { readonly kind: "restore"; readonly record: RestoreRecord }
  | { readonly kind: "parent"; readonly chunk: ParentChunk };

/** A message to be sent: its size, and what writes it into a buffer of that size. */
export interface Outgoing {
  readonly totalBytes: number;
  readonly fill: (into: Uint8Array) => void;
}

/** What came on a connection; null at the end of its stream. */
export interface Received {
  readonly from: LinkConn;
  readonly message: LinkMessage | null;
}

/** One connection of the link: sends one after the other, receives into a buffer of its own. */
export class LinkConn {
  readonly conn: Conn;
  #sending: Promise<void> = Promise.resolve();
  #outgoing = new Uint8Array(64 * 1024);
  #incoming = new Uint8Array(64 * 1024);
  /** True while a message is sent, and after one was cut: what follows would not be understood. */
  #cut = false;
  /** The message being received or waiting to be taken. */
  pending: Promise<Received> | null = null;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** Queues a message behind those being sent. */
  send({ totalBytes, fill }: Outgoing, options: WaitOptions): Promise<void> {
    const turn = this.#sending.then(async () => {
      if (this.#cut) throw new AgentError("reset", "Cannot send: an earlier message was cut");
      if (this.#outgoing.length < totalBytes) this.#outgoing = new Uint8Array(totalBytes);
      const message = this.#outgoing.subarray(0, totalBytes);
      fill(message);
      this.#cut = true;
      await writeAll(this.conn, message, options);
      this.#cut = false;
    });
    this.#sending = turn.catch(() => {}); // The sender of that message hears of the failure.
    return turn;
  }

  /** @throws AgentError `failed` for a document that the peer would not take */
  async sendDocument(document: LinkDocument, options: WaitOptions): Promise<void> {
    const payload = encodeDocument(document);
    if (payload.length > LINK_DOCUMENT_BYTES_MAX) {
      throw new AgentError(
        "failed",
        `Cannot send a "${document.type}" message: it has ${payload.length} bytes, ` +
          `need at most ${LINK_DOCUMENT_BYTES_MAX}`,
        { hint: "Back up or restore fewer paths at once." },
      );
    }
    const fill = (into: Uint8Array) => {
      encodeHeader("document", payload.length, into);
      into.set(payload, HEADER_BYTES);
    };
    await this.send({ totalBytes: HEADER_BYTES + payload.length, fill }, options);
  }

  /** Begins to receive the next message; null at the end of the stream. */
  begin(options: WaitOptions): Promise<Received> {
    this.pending ??= this.#receive(options).then((message) => ({ from: this, message }));
    return this.pending;
  }

  async #receive(options: WaitOptions): Promise<LinkMessage | null> {
    const headerBytes = new Uint8Array(HEADER_BYTES);
    if (!await readFullOrEnd(this.conn, headerBytes, options)) return null;
    const header = decodeHeader(headerBytes);
    if (this.#incoming.length < header.length) this.#incoming = new Uint8Array(header.length);
    const payload = this.#incoming.subarray(0, header.length);
    await readFull(this.conn, payload, options);
    if (header.kind === "data") return { kind: "data", record: decodeDataRecord(payload) };
    if (header.kind === "restore") {
      return { kind: "restore", record: decodeRestoreRecord(payload) };
    }
    if (header.kind === "parent") return { kind: "parent", chunk: decodeParentChunk(payload) };
    return { kind: "document", document: decodeDocument(payload) };
  }
}
