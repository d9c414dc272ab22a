// A connected STP socket as a byte stream.
//
// Invariants: those of conn.ts. Bytes are accepted or delivered only at the end of a call, so a
// cancelled wait loses nothing. The connection polls only while somebody waits on it.

import type { Address, Conn, WaitOptions } from "../conn.ts";
import { assert, AssertionFailure } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import type { ConnectionIds } from "./control_block.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import { IdleLadder } from "./idle_ladder.ts";
import { SLEEP_MS_MAX } from "./limits.ts";
import type { StgMedium } from "./stg_medium.ts";
import { readableOf, writableOf } from "./stp_streams.ts";
import { StpLink, type StpLinkOptions } from "./stp_link.ts";

export interface StpConnOptions extends StpLinkOptions {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
}

export class StpConn implements Conn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly #link: StpLink;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #readLadder = new IdleLadder();
  readonly #writeLadder = new IdleLadder();
  readonly #counters = { sentBytes: 0, receivedBytes: 0 };
  #reading = false;
  #writing: Promise<number> | null = null;
  #closing: Promise<void> | null = null;
  #ackTimer = false;
  #tending = false;
  #badFrameSinceMs = -1;
  #readable: ReadableStream<Uint8Array> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;

  constructor(options: StpConnOptions) {
    this.localAddr = options.localAddr;
    this.remoteAddr = options.remoteAddr;
    this.#link = new StpLink(options);
    this.#writer = new FrameWriter(options.medium, options.ids);
    this.#reader = new FrameReader(options.medium, options.ids);
  }

  get counters(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return this.#counters;
  }

  /** Who is connected; the medium proof uses the endpoints' own blocks. */
  get ids(): ConnectionIds {
    return this.#link.ids;
  }

  get medium(): StgMedium {
    return this.#link.medium;
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= writableOf(this);
  }

  /** True when the connection failed or its peer is gone. Polls once. */
  async isGone(): Promise<boolean> {
    await this.#guarded(() => this.#link.poll());
    return this.#link.failure !== null;
  }

  async read(into: Uint8Array, options: WaitOptions = {}): Promise<number | null> {
    assert(!this.#reading, "one read at a time");
    this.#reading = true;
    try {
      return await this.#readSome(into, options.signal);
    } catch (error) {
      throw this.#asFailure(error);
    } finally {
      this.#reading = false;
    }
  }

  async write(from: Uint8Array, options: WaitOptions = {}): Promise<number> {
    assert(this.#writing === null, "one write at a time");
    this.#writing = this.#writeSome(from, options.signal);
    try {
      return await this.#writing;
    } catch (error) {
      throw this.#asFailure(error);
    } finally {
      this.#writing = null;
    }
  }

  async closeWrite(): Promise<void> {
    await this.#writing?.catch(() => {});
    await this.#guarded(() => this.#link.dispatch({ type: "close-write" }));
    this.#tendLater();
  }

  /**
   * Waits until the peer took what was written, at most the linger time without progress. Does
   * not reject: whether everything arrived is for the two programs to tell each other.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason: string): void {
    this.#link.dispatch({ type: "abort", reason })?.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #readSome(into: Uint8Array, signal: AbortSignal | undefined): Promise<number | null> {
    const { receive } = this.#link;
    this.#readLadder.reset();
    for (;;) {
      this.#checkUsable();
      if (into.length === 0) return 0;
      if (this.#reader.heldBytes > 0) return this.#deliver(this.#reader.serve(into));
      if (receive.available === 0) {
        const polled = this.#link.poll();
        if (polled !== undefined) await polled;
        this.#checkUsable();
      }
      if (receive.available > 0) {
        const count = await this.#takeFrame(into);
        if (count > 0) return this.#deliver(count);
      } else {
        if (this.#link.state.ended) return null;
        const acked = this.#acknowledge(this.#readLadder.idle);
        if (acked !== undefined) await acked;
      }
      const paused = this.#link.pause(this.#readLadder, signal);
      if (paused !== undefined) await paused;
    }
  }

  /** @returns count of bytes put into `into`, 0 when the frame is not readable yet */
  async #takeFrame(into: Uint8Array): Promise<number> {
    const { receive, turns } = this.#link;
    const verdict = await this.#reader.read({
      seq: receive.frames,
      streamOffset: receive.bytes,
      lengthHint: receive.nextLengthBytes,
    }, into);
    if (verdict !== "ok") {
      await this.#takeBadFrame(verdict);
      return 0;
    }
    this.#badFrameSinceMs = -1;
    receive.consume(this.#reader.lengthBytes);
    const acked = this.#acknowledge(false);
    if (acked !== undefined) await acked;
    const turn = turns.due();
    if (turn !== undefined) await turn;
    // The peer may have aborted, or we, while the frame was read: then nothing is delivered.
    this.#checkUsable();
    return this.#reader.heldBytes > 0 ? this.#reader.serve(into) : this.#reader.lengthBytes;
  }

  /** Not there yet, or damaged: read again until `healMs` is over, then end. */
  async #takeBadFrame(verdict: string): Promise<void> {
    const { clock, timing } = this.medium;
    this.#link.countBadFrame();
    const nowMs = clock.monotonicMs();
    if (this.#badFrameSinceMs < 0) this.#badFrameSinceMs = nowMs;
    if (nowMs - this.#badFrameSinceMs > timing.healMs) {
      const seq = this.#link.receive.frames;
      this.#link.fault(`frame ${seq} on ${this.#reader.place(seq)} stayed unreadable (${verdict})`);
    }
    await this.#link.poll();
  }

  #acknowledge(idle: boolean): Completion {
    const { receive, peerBlocked } = this.#link;
    if (receive.ackDue({ peerBlocked, idle })) return this.#link.publish();
    if (!this.#ackTimer && receive.available === 0) this.#acknowledgeLater();
    return undefined;
  }

  /** A reader that stopped at what it wanted never goes idle: tell the peer a little later. */
  async #acknowledgeLater(): Promise<void> {
    this.#ackTimer = true;
    await this.medium.clock.sleep(SLEEP_MS_MAX);
    this.#ackTimer = false;
    if (this.#link.state.phase !== "open") return;
    await this.#guarded(() => this.#link.poll());
    if (this.#link.receive.ackDue({ peerBlocked: true, idle: true })) {
      await this.#guarded(() => this.#link.publish());
    }
  }

  /**
   * A program that wrote and now does something else does not poll: should the medium have lost
   * the last write of our control block, it is written again from here.
   */
  async #tendLater(): Promise<void> {
    if (this.#tending) return;
    this.#tending = true;
    const { clock, timing } = this.medium;
    while (this.#link.unconfirmed) {
      await clock.sleep(timing.watchMs);
      if (this.#link.unconfirmed) await this.#guarded(() => this.#link.tend());
    }
    this.#tending = false;
  }

  async #writeSome(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    const { send } = this.#link;
    this.#writeLadder.reset();
    for (;;) {
      this.#checkWritable();
      if (from.length === 0) return 0;
      if (send.credit > 0) break;
      const polled = this.#link.poll();
      if (polled !== undefined) await polled;
      if (send.credit > 0) continue;
      if (this.#link.setBlocked(true)) await this.#link.publish();
      const paused = this.#link.pause(this.#writeLadder, signal);
      if (paused !== undefined) await paused;
    }
    let count = 0;
    while (count < from.length && send.credit > 0) {
      const length = this.#writer.frameBytes(from.length - count);
      await this.#writeFrame(from.subarray(count, count + length));
      count += length;
    }
    return count;
  }

  async #writeFrame(payload: Uint8Array): Promise<void> {
    const { send, turns } = this.#link;
    this.#link.beginWrite();
    try {
      const pending = this.#writer.write(send.frames, send.bytes, payload);
      if (pending !== undefined) await pending;
    } finally {
      this.#link.endWrite();
    }
    this.#checkWritable();
    send.produce(payload.length);
    this.#counters.sentBytes += payload.length;
    this.#link.setBlocked(false);
    if (!this.#tending) this.#tendLater();
    const published = this.#link.publish();
    if (published !== undefined) await published;
    const turn = turns.due();
    if (turn !== undefined) await turn;
  }

  async #close(): Promise<void> {
    // A write that waits for credit ends with `closed`; one that is on its way completes.
    await this.#writing?.catch(() => {});
    await this.#guarded(() => this.#link.dispatch({ type: "close" }));
    const { clock, timing } = this.medium;
    const ladder = new IdleLadder();
    let ackedFrames = this.#link.send.ackedFrames;
    let progressMs = clock.monotonicMs();
    while (this.#link.state.phase === "closing") {
      await this.#guarded(() => this.#link.poll());
      if (this.#link.state.phase !== "closing") break;
      const nowMs = clock.monotonicMs();
      const { send } = this.#link;
      if (send.ackedFrames !== ackedFrames) progressMs = nowMs;
      ackedFrames = send.ackedFrames;
      const limitMs = send.ackedFrames === send.frames ? timing.finMs : timing.lingerMs;
      if (nowMs - progressMs > limitMs) await this.#guarded(() => this.#endLinger());
      await this.#guarded(() => this.#link.pause(ladder, undefined));
    }
  }

  /**
   * A peer that took everything but did not look for the end finds it in our block when it does,
   * until the endpoint is used again. One that left bytes unread lost them.
   */
  #endLinger(): Completion {
    const { send } = this.#link;
    if (send.ackedFrames === send.frames) return this.#link.dispatch({ type: "drained" });
    const left = send.frames - send.ackedFrames;
    this.#link.fault(`closed, and the peer did not read the last ${left} frames`);
    return undefined;
  }

  #deliver(count: number): number {
    this.#counters.receivedBytes += count;
    return count;
  }

  #checkUsable(): void {
    if (this.#link.failure !== null) throw this.#link.failure;
    if (this.#closing !== null) throw this.#closedError();
  }

  #checkWritable(): void {
    this.#checkUsable();
    if (this.#link.state.finSent) throw this.#closedError();
    if (this.#link.state.peerDeaf) {
      throw new AgentError("reset", "Cannot write: the peer closed, need one that reads");
    }
  }

  #closedError(): AgentError {
    return new AgentError("closed", "Cannot use the connection: closed here, need an open one");
  }

  /** Runs a step whose failure is the connection's failure; a bug is not. */
  async #guarded(step: () => Completion): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      this.#asFailure(error);
    }
  }

  /** A lost volume ends the connection, with its name; everything else is passed on. */
  #asFailure(error: unknown): unknown {
    if (!(error instanceof AgentError) || error.code !== "volume") return error;
    this.#link.fault(error.message, error);
    return this.#link.failure ?? error;
  }
}
