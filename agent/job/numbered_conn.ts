// A network connection of a file-system job's link that outlives the connection below it: messages
// are numbered and kept until the peer has them (numbered_messages.ts), and go on over another
// connection when one broke.
//
//   each side, first on another connection   acknowledgement {messages that came so far}
//   each side, then                          what the peer lacks, and new messages
//
// Invariants:
//  1. A message counts as come when it was received whole on the connection in use; what a
//     connection brings after another took its place is dropped, since it comes again.
//  2. Documents are sent without waiting for acknowledgements, which would wait for each other at
//     both ends; a record waits while too much is unacknowledged. While there is no connection,
//     documents wait for room, too.
//  3. Without `arm` a connection that breaks is an error, or the end of the stream.

import {
  AgentError,
  Change,
  type Conn,
  orCancelled,
  throwIfCancelled,
  type WaitOptions,
} from "../../transport/mod.ts";
import {
  type Frame,
  LinkConn,
  type LinkMessage,
  type MessageLane,
  type Received,
} from "./link_conn.ts";
import { type Outgoing, outgoingDocument } from "./outgoing.ts";
import type { LinkDocument } from "./link_document.ts";
import { NumberedMessages } from "./numbered_messages.ts";

export class NumberedConn implements MessageLane {
  pending: Promise<Received> | null = null;
  readonly #messages = new NumberedMessages<Outgoing>();
  readonly #change = new Change();
  /** In use; null while the lane waits for another. */
  #conn: LinkConn | null;
  /** On which both sides tell each other how far they got. */
  #joining: LinkConn | null = null;
  readonly #over: AbortSignal;
  #records: Promise<void> = Promise.resolve();
  #onBroken: ((error: AgentError) => void) | null = null;
  #peerLeft = false;

  /** @param over fires when the job is over: nobody waits any more to send something */
  constructor(conn: Conn, over: AbortSignal) {
    this.#conn = new LinkConn(conn);
    this.#over = over;
  }

  get isUp(): boolean {
    return this.#conn !== null;
  }

  get receivedBytes(): number {
    return this.#conn?.receivedBytes ?? 0;
  }

  /** From now on a connection that breaks is told to `onBroken`, and waits go on. */
  arm(onBroken: (error: AgentError) => void): void {
    this.#onBroken = onBroken;
  }

  /** Sends a record: one after the other, while there is room for them. */
  send(message: Outgoing, options: WaitOptions): Promise<void> {
    const turn = this.#records.then(async () => {
      while (this.#messages.isFull) await this.#room(options);
      await this.#push(message, options);
    });
    this.#records = turn.catch(() => {}); // The sender of that record hears of the failure.
    return turn;
  }

  async sendDocument(document: LinkDocument, options: WaitOptions): Promise<void> {
    const message = outgoingDocument(document);
    while (!this.isUp && this.#messages.isFull) await this.#room(options);
    throwIfCancelled(options.signal);
    await this.#push(message, options);
  }

  begin(options: WaitOptions): Promise<Received> {
    this.pending ??= this.#next(options).then((message) => ({ from: this, message }));
    return this.pending;
  }

  /** Tells the peer how many of its messages came. */
  async speak(): Promise<void> {
    const conn = this.#conn;
    if (conn === null) return;
    try {
      await conn.acknowledge(this.#messages.tell());
    } catch (error) {
      this.#failed(conn, error);
    }
  }

  /**
   * Goes on over another connection, in place of the one in use.
   * @throws AgentError `damaged` when the two ends do not agree on what came, or as `conn` does
   */
  async resume(conn: Conn, options: WaitOptions): Promise<void> {
    this.drop("another connection takes its place");
    const joining = this.#joining = new LinkConn(conn);
    // From here on nothing comes until `#conn` is set, so the count stays true.
    const telling = joining.acknowledge(this.#messages.tell(), options);
    const [frame] = await Promise.all([joining.receive(options), telling]);
    if (joining !== this.#joining) throw ended("another connection took its place");
    if (frame === null) throw ended("the peer ended it");
    if ("message" in frame) {
      const message = "Cannot go on with the job: found a message, need how many came";
      throw new AgentError("damaged", message);
    }
    const again = this.#messages.resume(frame.acknowledged);
    this.#joining = null;
    this.#conn = joining;
    // Queued at once, so that whatever is sent from now on comes after them.
    for (const message of again) void this.#write(joining, message);
    this.#change.notify();
  }

  /** Gives up the connection in use, and one that was to take its place. */
  drop(reason: string): void {
    const conns = [this.#conn, this.#joining];
    this.#conn = null;
    this.#joining = null;
    for (const conn of conns) conn?.abort(reason);
  }

  /**
   * Waits until both sides have all that the other sent, and know it: the last thing before `close`
   * of a job that succeeded. What still comes is dropped.
   */
  async settle(options: WaitOptions): Promise<void> {
    const dropping = this.#dropAll(options);
    dropping.catch(() => {}); // Whoever waits below hears of it, or needs it no more.
    const done = (async () => {
      await this.sendDocument({ type: "bye" }, options);
      while (!this.#isDone) await this.#change.next(options);
    })();
    await Promise.race([done, dropping]);
  }

  /** Ends the connection after what was sent; waits for one when there is none. */
  async close(options: WaitOptions): Promise<void> {
    if (!this.isUp && this.#isDone) return;
    const conn = await this.#inUse(options);
    await orCancelled(conn.sent, options.signal);
    await conn.close();
  }

  abort(reason: string): void {
    this.drop(reason);
  }

  #room({ signal }: WaitOptions): Promise<void> {
    const either = signal === undefined ? this.#over : AbortSignal.any([signal, this.#over]);
    return this.#change.next({ signal: either });
  }

  async #push(message: Outgoing, { signal }: WaitOptions): Promise<void> {
    this.#messages.push(message, message.totalBytes, message.release);
    if (this.#conn !== null) await orCancelled(this.#write(this.#conn, message), signal);
  }

  /** Resolves when the message was written, or is kept for another connection. */
  async #write(conn: LinkConn, { totalBytes, fill }: Outgoing): Promise<void> {
    try {
      await conn.send({ totalBytes, fill }, {});
    } catch (error) {
      this.#failed(conn, error);
    }
  }

  async #next(options: WaitOptions): Promise<LinkMessage | null> {
    for (;;) {
      const conn = await this.#inUse(options);
      let frame: Frame | null;
      try {
        frame = await conn.receive(options);
      } catch (error) {
        throwIfCancelled(options.signal);
        this.#failed(conn, error);
        continue;
      }
      if (conn !== this.#conn) continue;
      if (frame === null) {
        if (this.#onBroken === null) return null;
        this.#failed(conn, ended("the peer ended it"));
      } else if ("acknowledged" in frame) {
        this.#messages.acknowledge(frame.acknowledged);
        this.#change.notify();
      } else if (!this.#takeBye(frame)) {
        if (this.#messages.take(frame.bytes)) this.#tell();
        return frame.message;
      }
    }
  }

  /** The peer sends no more: it is told at once what came, since it waits for that. */
  #takeBye({ message, bytes }: Extract<Frame, { message: LinkMessage }>): boolean {
    if (message.kind !== "document" || message.document.type !== "bye") return false;
    this.#messages.take(bytes);
    this.#peerLeft = true;
    this.#tell();
    this.#change.notify();
    return true;
  }

  /** A connection that fails is noticed where it is read. */
  #tell(): void {
    this.speak().catch(() => {});
  }

  async #dropAll(options: WaitOptions): Promise<void> {
    for (;;) {
      const { message } = await this.begin(options);
      this.pending = null;
      if (message === null) throw ended("the peer ended it");
      // A peer that fails although its result is known says no more than that.
      if (message.kind === "document" && message.document.type === "error") return;
    }
  }

  async #inUse(options: WaitOptions): Promise<LinkConn> {
    for (;;) {
      throwIfCancelled(options.signal);
      if (this.#conn !== null) return this.#conn;
      await this.#change.next(options);
    }
  }

  /** @throws `error` unless the lane waits for another connection, or has it */
  #failed(conn: LinkConn, error: unknown): void {
    if (conn !== this.#conn) return; // It was given up.
    if (this.#onBroken === null || !isBroken(error)) throw error;
    this.drop("it broke");
    if (!this.#isDone) this.#onBroken(error);
  }

  /** Both sides have everything: the peer may go. */
  get #isDone(): boolean {
    return this.#peerLeft && this.#messages.isSettled;
  }
}

/** False for what another connection would not mend: a peer that does not keep to the protocol. */
function isBroken(error: unknown): error is AgentError {
  return error instanceof AgentError && error.code !== "damaged";
}

function ended(found: string): AgentError {
  return new AgentError("reset", `Cannot use the connection: ${found}`);
}
