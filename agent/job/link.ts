// The link of a job: documents and records over the connections that the flow made.
//
// A file-system job has up to three connections (control, errors, storage), a database job one,
// over which everything travels. The link hides that: senders name what they send, receivers take
// messages as they come. Records need no order with documents, except that the sender of the last
// record sends "end" with the count of records, so the receiver knows when it has them all.
//
// Invariants:
//  1. A message is received whole before it is handed out; its bytes are valid until the next
//     `receive` or `meanwhile`.
//  2. Nothing is read ahead of `receive` but one message a connection, so a slow receiver slows
//     the sender down through the transport.
//  3. Records are handed out in the order 0, 1, 2, …, also when the storage channel dies and the
//     rest comes over the network (storage_lane.ts), when the network is cut and connected again
//     (network_rejoin.ts), and when streams have connections of their own (stream_lanes.ts).

import {
  AgentError,
  type Clock,
  type Conn,
  type ErrorRecord,
  type Fallback,
  fromErrorRecord,
  orCancelled,
  withDeadline,
} from "../../transport/mod.ts";
import type { DataRecord, ParentChunk, RestoreRecord } from "../record.ts";
import { REJOIN_WAIT_MS } from "./limits.ts";
import { LinkConn, type LinkMessage, type MessageLane } from "./link_conn.ts";
import type { LinkDocument } from "./link_document.ts";
import { LinkInbox } from "./link_inbox.ts";
import { type LinkConns, NetworkRejoin, type RejoinOptions } from "./network_rejoin.ts";
import { NetworkWatch } from "./network_watch.ts";
import { NumberedConn } from "./numbered_conn.ts";
import {
  type Outgoing,
  outgoingData,
  outgoingParent,
  outgoingPiece,
  outgoingRestore,
} from "./outgoing.ts";
import { ReceivedRecords } from "./received_records.ts";
import { type LaneOptions, StorageLane } from "./storage_lane.ts";
import { unlessBroken } from "./send_for_result.ts";
import { type ReleaseOptions, type SendOptions, StreamLanes } from "./stream_lanes.ts";
import { tellFailure } from "./tell_failure.ts";
import { toldReason } from "./told_reason.ts";
import { untilPeerGone } from "./until_peer_gone.ts";
import { watchNetwork } from "./watch_network.ts";

export type { LinkMessage } from "./link_conn.ts";

export interface LinkOptions {
  readonly clock: Clock;
  /** Ends every wait of the link. */
  readonly signal: AbortSignal;
  /** True when both sides number the messages of the network, so that it may be connected again. */
  readonly numbered?: boolean;
}

export class JobLink {
  readonly #control: MessageLane;
  readonly #errors: MessageLane;
  /** What may bring something still. */
  readonly #open: Set<MessageLane>;
  readonly #inbox = new LinkInbox();
  readonly #options: LinkOptions;
  #lane: StorageLane | null = null;
  #streams = new StreamLanes([]);
  #taken: MessageLane | null = null;
  #watch: NetworkWatch | null = null;
  #rejoin: NetworkRejoin | null = null;
  #listening = false;
  readonly #ended = new AbortController();
  /** Ends what waits for the peer; `#options.signal` alone ends what tells it something. */
  readonly #signal: AbortSignal;
  /** Records handed out. */
  readonly #received = new ReceivedRecords();
  /** The parent chunk that was asked for and is not here. */
  #wanted: number | null = null;

  constructor(conns: LinkConns, options: LinkOptions) {
    const lane = (conn: Conn) =>
      options.numbered ? new NumberedConn(conn, this.#ended.signal) : new LinkConn(conn);
    this.#control = lane(conns.control);
    this.#errors = conns.errors === null ? this.#control : lane(conns.errors);
    this.#open = new Set([this.#control, this.#errors]);
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
  }

  /**
   * Records travel on `conn` while the storage lives; without this, on the control connection.
   * @param conn or why this side has none, although the peer counts on it
   */
  attachStorage(conn: Conn | Fallback, options: LaneOptions): void {
    const data = "reason" in conn ? null : new LinkConn(conn);
    const { clock, signal } = this.#options;
    const received = () => this.#received.count;
    const isCut = () => this.#rejoin?.isCut ?? false;
    this.#lane = new StorageLane({
      ...options,
      data,
      control: this.#control,
      clock,
      signal,
      ended: this.#ended,
      isCut,
      received,
      onFallback: (fallback) => {
        options.onFallback(fallback);
        // A control connection that fails is noticed where it is read.
        if (this.#wanted !== null) this.wantParent(this.#wanted).catch(() => {});
      },
    });
    if ("reason" in conn) this.#lane.lose(conn);
    if (data !== null) this.#open.add(data);
  }

  /** Records of the second stream and further ones travel on these; both sides call it. */
  addStreams(conns: readonly Conn[]): void {
    this.#streams = new StreamLanes(conns);
    for (const lane of this.#streams.further) this.#open.add(lane);
  }

  /** Looks whether the network falls silent; both sides call it. */
  watchNetwork(): void {
    const { clock } = this.#options;
    this.#watch ??= new NetworkWatch();
    void watchNetwork(this.#watch, {
      clock,
      signal: this.#signal,
      isListening: () => this.#listening && !(this.#rejoin?.isCut ?? false),
      receivedBytes: () => this.#control.receivedBytes + this.#errors.receivedBytes,
      speak: () => {
        this.#control.speak(this.#options).catch(() => {}); // It is noticed where it is read.
      },
      fallSilent: (why) => this.#fallSilent(why),
    });
  }

  /**
   * From now on a network that is cut does not end the job before it had its time to come back;
   * both sides call it when the job runs. Does nothing on a link without numbers.
   */
  outliveCuts(options: RejoinOptions): void {
    const [control, errors] = [this.#control, this.#errors];
    if (!(control instanceof NumberedConn) || !(errors instanceof NumberedConn)) return;
    this.#rejoin ??= new NetworkRejoin({
      ...options,
      control,
      errors,
      clock: this.#options.clock,
      ended: this.#ended,
      signal: this.#signal,
      onRejoined: (afterMs) => {
        this.#watch?.heard();
        options.onRejoined(afterMs);
      },
    });
  }

  /** The peer connected again: the link goes on over these. */
  takeOver(conns: LinkConns): void {
    this.#rejoin?.take(conns);
  }

  /** Fires when the job is over, or cannot go on. */
  get over(): AbortSignal {
    return this.#signal;
  }

  /** Tells the peer that this side is silent until its next word; if it is gone, nobody waits. */
  async sayBusy(busy = true): Promise<void> {
    if (this.#watch !== null) await this.send({ type: "alive", busy }).catch(() => {});
  }

  /** Sends a document on the connection that it belongs to. */
  send(document: LinkDocument): Promise<void> {
    const status = document.type === "progress" || document.type === "warning" ||
      document.type === "error";
    return (status ? this.#errors : this.#control).sendDocument(document, this.#options);
  }

  /** The frame's bytes must stay as they are until `release`: they may be sent again. */
  sendData(record: DataRecord, options: ReleaseOptions = {}): Promise<void> {
    return this.#sendRecord({ ...outgoingData(record), release: options.release }, options);
  }

  /** As `sendData`. */
  sendRestore(record: RestoreRecord, options: ReleaseOptions = {}): Promise<void> {
    return this.#sendRecord({ ...outgoingRestore(record), release: options.release }, options);
  }

  /** Answers a `parent-wanted`, on the channel of the records. */
  async sendParent(chunk: ParentChunk): Promise<void> {
    const message = outgoingParent(chunk);
    await (this.#lane?.sendOnce(message) ?? this.#control.send(message, this.#options));
  }

  /** Sends a piece of a file, on the control connection. */
  sendPiece(piece: Uint8Array): Promise<void> {
    return this.#control.send(outgoingPiece(piece), this.#options);
  }

  /** Asks for rows of the parent, again when the storage channel dies with them. */
  async wantParent(index: number): Promise<void> {
    this.#wanted = index;
    await this.send({ type: "parent-wanted", index });
  }

  /**
   * Tells the sender how many records are here, when that is due; to be called after each.
   * @param synced count of records that are safe on disk, null when that has no meaning
   */
  async acknowledge(synced: number | null): Promise<void> {
    const received = this.#received.untold();
    if (received === null) return;
    await this.send({ type: "cursor", received, synced }).catch(unlessBroken);
  }

  /**
   * The next message of any connection.
   * @throws AgentError `reset` when the peer ended the link, `damaged` for what is no message, and
   * what the peer said when it failed
   */
  async receive(): Promise<LinkMessage> {
    this.#listening = true;
    try {
      return await this.#next();
    } catch (error) {
      this.#ended.abort(error); // Whoever sends would wait for words that nobody reads.
      throw error;
    } finally {
      this.#listening = false;
    }
  }

  /**
   * Runs what the peer has no word in: when it says that it gives up, or ends, that ends `work`.
   * @throws the peer's reason, or what `work` throws
   */
  async meanwhile<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const done = new AbortController();
    const spoke = new AbortController();
    const end = () => spoke.abort();
    const heeding = this.#heed(AbortSignal.any([this.#signal, done.signal])).then(end, end);
    this.#listening = true;
    try {
      return await work(spoke.signal);
    } catch (error) {
      if (!spoke.signal.aborted) throw error;
      const message = await this.receive();
      const said = message.kind === "document" ? message.document : null;
      if (said?.type === "error") throw fromErrorRecord(said.error);
      throw new AgentError("reset", "Cannot go on with the job: the peer spoke out of turn");
    } finally {
      this.#listening = false;
      done.abort();
      await heeding;
    }
  }

  /** Until something is here that is not for the link alone; it is left here. */
  async #heed(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.#listen();
      const arrival = await this.#inbox.peek(signal);
      const message = "message" in arrival ? arrival.message : null;
      if (message === null || !this.#isForLink(arrival.from, message)) return;
      await this.#inbox.next(signal);
      arrival.from.pending = null;
    }
  }

  #listen(): void {
    if (this.#taken !== null) this.#taken.pending = null;
    this.#taken = null;
    for (const conn of this.#open) this.#inbox.listen(conn, this.#options);
  }

  async #next(): Promise<LinkMessage> {
    while (this.#open.size > 0) {
      this.#listen();
      const held = this.#streams.take(this.#received.count);
      const arrival = held ?? await this.#inbox.next(this.#signal);
      const { from } = arrival;
      if (!this.#isLive(from)) this.#open.delete(from);
      else if (this.#streams.hold(arrival, this.#received.count)) continue;
      else if ("failure" in arrival) await this.#failed(from, arrival.failure);
      else if (arrival.message === null) {
        this.#open.delete(from);
        if (from === this.#control) break;
      } else if (this.#isForLink(from, arrival.message)) from.pending = null;
      else {
        this.#taken = from;
        this.#count(arrival.message);
        return arrival.message;
      }
    }
    throw await toldReason(
      this.#errors,
      this.#options,
      new AgentError("reset", "Cannot go on with the job: the peer ended the connection"),
    );
  }

  /** False for a storage channel that was given up: what it brings now was sent again. */
  #isLive(from: MessageLane): boolean {
    return from === this.#control || from === this.#errors || from === this.#lane?.data ||
      this.#streams.has(from);
  }

  async #failed(from: MessageLane, failure: unknown): Promise<void> {
    if (this.#lane === null || from !== this.#lane.data) {
      throw await toldReason(this.#errors, this.#options, failure);
    }
    this.#lane.fail(failure);
    this.#open.delete(from);
  }

  /** True for what the two links say to each other. */
  #isForLink(from: MessageLane, message: LinkMessage): boolean {
    const document = message.kind === "document" ? message.document : null;
    const alive = document?.type === "alive";
    if (from !== this.#lane?.data) this.#watch?.heard(alive && document.busy);
    if (document === null || alive) return alive;
    return this.#lane?.take(document) ?? false;
  }

  #fallSilent(why: string): void {
    if (this.#rejoin !== null) return this.#rejoin.cut(why);
    this.#ended.abort(
      new AgentError("unreachable", `Cannot go on with the job: ${why}`, {
        hint: "Check the network between the two hosts, and run the job again.",
      }),
    );
  }

  #count(message: LinkMessage): void {
    if (message.kind === "document") {
      if (message.document.type === "cursor") this.#lane?.acknowledge(message.document.received);
      return;
    }
    if (message.kind === "parent") {
      if (message.chunk.index === this.#wanted) this.#wanted = null;
      return;
    }
    if (message.kind !== "piece") this.#received.take(message.record);
  }

  /** A record may wait for words of the peer, which nobody reads once its result was read. */
  #sendRecord(record: Outgoing, { signal, lane }: SendOptions): Promise<void> {
    const direct = this.#streams.of(lane) ?? this.#control;
    const sending = this.#lane?.send(record) ?? direct.send(record, this.#options);
    return orCancelled(sending, signal);
  }

  /**
   * Ends every connection after what was sent, and after the peer has it, if that shows.
   * @throws AgentError `timeout` | `unreachable` when it did not show; the result stands
   */
  async finish(): Promise<void> {
    const { clock } = this.#options;
    const deadline = { timeoutMs: REJOIN_WAIT_MS, action: "end the job", signal: this.#signal };
    const data = this.#lane?.data ?? null;
    if (data !== null && this.#taken === data) data.pending = null;
    const signs = { data, inbox: this.#inbox, isCut: () => this.#rejoin?.isCut ?? false };
    this.#listening = true;
    try {
      await withDeadline(clock, deadline, async (signal) => {
        const settled = [...this.#network()].map((lane) => lane.settle({ signal }));
        await Promise.race([
          Promise.all(settled),
          untilPeerGone({ ...signs, ...this.#options, ending: signal }),
        ]);
      });
    } finally {
      this.#listening = false;
      this.#ended.abort(new AgentError("closed", "Cannot use the link: the job is done"));
    }
    for (const lane of this.#lanes()) await lane.close(this.#options);
  }

  /** Tells the peer why the job fails, as far as it still can be told, and ends everything. */
  async fail(error: ErrorRecord): Promise<void> {
    this.#ended.abort(fromErrorRecord(error));
    await tellFailure(this.#lanes(), error, this.#options.clock);
  }

  #network(): Set<MessageLane> {
    return new Set([this.#errors, this.#control]);
  }

  #lanes(): Set<MessageLane> {
    const data = this.#lane?.data ?? null;
    const further = data === null ? this.#streams.further : [...this.#streams.further, data];
    return new Set([...further, ...this.#network()]);
  }
}
