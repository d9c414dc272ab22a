// The link of a job: documents and records over the connections that the flow made.
//
// A file-system job has up to three connections (control, errors, storage), a database job one,
// over which everything travels. The link hides that: senders name what they send, receivers take
// messages as they come. Records need no order with documents, except that the sender of the last
// record sends "end" with the count of records, so the receiver knows when it has them all.
//
// Invariants:
//  1. A message is received whole before it is handed out; its bytes are valid until the next
//     `receive`.
//  2. Nothing is read ahead of `receive` but one message a connection, so a slow receiver slows
//     the sender down through the transport.

import {
  AgentError,
  type Clock,
  type Conn,
  type ErrorRecord,
  fromErrorRecord,
  readFull,
  readFullOrEnd,
  type WaitOptions,
  withDeadline,
  writeAll,
} from "../../transport/mod.ts";
import type { DataRecord, RestoreRecord } from "../record.ts";
import { decodeDocument, encodeDocument, type LinkDocument } from "./link_document.ts";
import { LINK_DOCUMENT_BYTES_MAX, TELL_TIMEOUT_MS } from "./limits.ts";
import {
  dataRecordBytes,
  decodeDataRecord,
  decodeHeader,
  decodeRestoreRecord,
  encodeDataRecord,
  encodeHeader,
  encodeRestoreRecord,
  HEADER_BYTES,
  restoreRecordBytes,
} from "./link_frame.ts";

export type LinkMessage =
  | { readonly kind: "document"; readonly document: LinkDocument }
  | { readonly kind: "data"; readonly record: DataRecord }
  | { readonly kind: "restore"; readonly record: RestoreRecord };

/** One connection of the link: sends one after the other, receives into a buffer of its own. */
class LinkConn {
  readonly conn: Conn;
  #sending: Promise<void> = Promise.resolve();
  #outgoing = new Uint8Array(64 * 1024);
  #incoming = new Uint8Array(64 * 1024);
  /** True while a message is sent, and after one was cut: what follows would not be understood. */
  #cut = false;
  /** The message being received or waiting to be taken. */
  pending: Promise<{ from: LinkConn; message: LinkMessage | null }> | null = null;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** Queues a message behind those being sent; `fill` writes it into the buffer it is given. */
  send(totalBytes: number, fill: (into: Uint8Array) => void, options: WaitOptions): Promise<void> {
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
    await this.send(HEADER_BYTES + payload.length, (into) => {
      encodeHeader("document", payload.length, into);
      into.set(payload, HEADER_BYTES);
    }, options);
  }

  /** Begins to receive the next message; null at the end of the stream. */
  begin(options: WaitOptions): Promise<{ from: LinkConn; message: LinkMessage | null }> {
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
    return { kind: "document", document: decodeDocument(payload) };
  }
}

export interface LinkOptions extends WaitOptions {
  readonly clock: Clock;
}

export interface LinkConns {
  readonly control: Conn;
  /** Null: errors and status travel on `control`. */
  readonly errors: Conn | null;
}

export class JobLink {
  readonly #control: LinkConn;
  readonly #errors: LinkConn;
  #data: LinkConn;
  readonly #open: Set<LinkConn>;
  readonly #options: LinkOptions;
  #taken: LinkConn | null = null;

  constructor(conns: LinkConns, options: LinkOptions) {
    this.#control = new LinkConn(conns.control);
    this.#errors = conns.errors === null ? this.#control : new LinkConn(conns.errors);
    this.#data = this.#control;
    this.#open = new Set([this.#control, this.#errors]);
    this.#options = options;
  }

  /** From now on records travel on `conn`; without this they travel on the control connection. */
  attachData(conn: Conn): void {
    this.#data = new LinkConn(conn);
    this.#open.add(this.#data);
  }

  /** Sends a document on the connection that it belongs to. */
  send(document: LinkDocument): Promise<void> {
    const status = document.type === "progress" || document.type === "warning" ||
      document.type === "error";
    return (status ? this.#errors : this.#control).sendDocument(document, this.#options);
  }

  sendData(record: DataRecord): Promise<void> {
    const fill = (into: Uint8Array) => encodeDataRecord(record, into);
    return this.#data.send(dataRecordBytes(record), fill, this.#options);
  }

  sendRestore(record: RestoreRecord): Promise<void> {
    const fill = (into: Uint8Array) => encodeRestoreRecord(record, into);
    return this.#data.send(restoreRecordBytes(record), fill, this.#options);
  }

  /**
   * The next message of any connection.
   * @throws AgentError `reset` when the peer ended the link, `damaged` for what is no message, and
   * what the peer said when it failed
   */
  async receive(): Promise<LinkMessage> {
    if (this.#taken !== null) this.#taken.pending = null;
    this.#taken = null;
    while (this.#open.size > 0) {
      const begun = [...this.#open].map((conn) => conn.begin(this.#options));
      const { from, message } = await Promise.race(begun).catch(async (error) => {
        throw await this.#reasonOf(error);
      });
      if (message !== null) {
        this.#taken = from;
        return message;
      }
      this.#open.delete(from);
      if (from === this.#control) break;
    }
    throw await this.#reasonOf(
      new AgentError("reset", "Cannot go on with the job: the peer ended the connection"),
    );
  }

  /** A peer that fails says why on a connection that may be read later than the broken one. */
  async #reasonOf(error: unknown): Promise<unknown> {
    if (!(error instanceof AgentError) || error.code !== "reset") return error;
    const { clock, signal } = this.#options;
    const action = "learn why the peer ended the job";
    const deadline = { timeoutMs: TELL_TIMEOUT_MS, action, signal };
    try {
      return await withDeadline(clock, deadline, (signal) => this.#toldError({ signal }));
    } catch {
      return error;
    }
  }

  /** Reads on to the peer's error. @throws when none comes */
  async #toldError(options: WaitOptions): Promise<AgentError> {
    while (true) {
      const { message } = await this.#errors.begin(options);
      if (message === null) throw new AgentError("reset", "Cannot learn the reason: none came");
      if (message.kind === "document" && message.document.type === "error") {
        return fromErrorRecord(message.document.error);
      }
      this.#errors.pending = null;
    }
  }

  /** Closes every connection after what was sent. */
  async finish(): Promise<void> {
    for (const { conn } of this.#conns()) await conn.close();
  }

  /** Tells the peer why the job fails, as far as it still can be told, and ends everything. */
  async fail(error: ErrorRecord): Promise<void> {
    const action = "tell the peer of the failure";
    // On each connection, so that whichever the peer reads next says it.
    const telling = [...this.#conns()].map((conn) =>
      withDeadline(this.#options.clock, { timeoutMs: TELL_TIMEOUT_MS, action }, async (signal) => {
        await conn.sendDocument({ type: "error", error }, { signal });
        await conn.conn.close();
      }).catch(() => {}) // The peer is gone, then: nobody is left to tell.
    );
    await Promise.all(telling);
    for (const { conn } of this.#conns()) conn.abort(error.message);
  }

  #conns(): Set<LinkConn> {
    return new Set([this.#data, this.#errors, this.#control]);
  }
}
