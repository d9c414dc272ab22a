// A connected STP socket as a byte stream.
//
// frame_sender.ts and frame_receiver.ts are its two halves, stp_link.ts what they share.
//
// Invariants: those of conn.ts. Bytes are accepted or delivered only at the end of a call, so a
// cancelled wait loses nothing. The connection polls while somebody waits on it, and now and then
// while the peer has not confirmed all that was written: it may ask for a frame again.

import type { Address, Conn, WaitOptions } from "../conn.ts";
import { assert, AssertionFailure } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import type { ConnectionIds } from "./control_block.ts";
import { FrameReceiver } from "./frame_receiver.ts";
import { FrameSender } from "./frame_sender.ts";
import { IdleLadder, inStep } from "./idle_ladder.ts";
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
  readonly #sender: FrameSender;
  readonly #receiver: FrameReceiver;
  /** Frames of ours when something came the last time. */
  #askedFrames = 0;
  readonly #readLadder = new IdleLadder();
  readonly #writeLadder = new IdleLadder();
  readonly #counters = { sentBytes: 0, receivedBytes: 0 };
  #reading = false;
  /** When bytes were accepted last. */
  #wroteMs = 0;
  #writing: Promise<number> | null = null;
  #closing: Promise<void> | null = null;
  #ackTimer = false;
  #readable: ReadableStream<Uint8Array> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;

  constructor(options: StpConnOptions) {
    this.localAddr = options.localAddr;
    this.remoteAddr = options.remoteAddr;
    this.#link = new StpLink(options);
    this.#sender = new FrameSender(this.#link);
    this.#receiver = new FrameReceiver(this.#link);
    this.#tend();
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

  /**
   * Before a write to the medium that is not the connection's own.
   * @throws AgentError `reset` when our host may count as dead, `volume`
   */
  async guard(): Promise<void> {
    await this.#link.guard();
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
      if (this.#receiver.heldBytes > 0) return this.#deliver(this.#receiver.serve(into));
      if (receive.available === 0) {
        const polled = this.#link.poll();
        if (polled !== undefined) await polled;
        this.#checkUsable();
      }
      if (receive.available > 0) {
        this.#readLadder.settle(this.#link.peerBlocked || this.#wasAnswered());
        const taken = this.#receiver.take(into);
        const count = typeof taken === "number" ? taken : await taken;
        if (!this.#ackTimer && receive.available === 0) this.#acknowledgeLater();
        const turn = this.#link.turns.due(undefined, this.#link.asynchronous);
        if (turn !== undefined) await turn;
        // The peer may have aborted, or we, meanwhile: then nothing is delivered.
        this.#checkUsable();
        if (count > 0) return this.#deliver(count);
      } else {
        if (this.#link.state.ended) return null;
        const acked = this.#receiver.acknowledge(this.#readLadder.idle);
        if (acked !== undefined) await acked;
      }
      if (this.#link.asynchronous && this.#receiver.bulk) this.#readLadder.unhurried();
      const paused = this.#link.pause(this.#readLadder, signal);
      if (paused !== undefined) await paused;
    }
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
   * While nobody waits on the connection: serves the peer's requests, publishes our block again
   * (the medium may have lost it) and looks whether the peer lives.
   */
  async #tend(): Promise<void> {
    const { clock, timing } = this.medium;
    let frames = this.#link.send.frames;
    let pauseMs = SLEEP_MS_MAX;
    while (this.#link.state.phase === "open") {
      await clock.sleep(inStep(clock.monotonicMs(), pauseMs));
      if (this.#link.state.phase !== "open") return;
      await this.#guarded(() => this.#link.tend());
      pauseMs = this.#link.send.frames > frames
        ? SLEEP_MS_MAX
        : Math.min(pauseMs * 2, timing.watchMs);
      frames = this.#link.send.frames;
    }
  }

  async #writeSome(from: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    const { clock } = this.medium;
    this.#writeLadder.reset();
    let nowMs: number;
    let guarded: Completion;
    for (;;) {
      this.#checkWritable();
      if (from.length === 0) return 0;
      nowMs = clock.monotonicMs();
      if (this.#sender.ready(nowMs)) {
        this.#writeLadder.settle(this.#link.send.ackedFrames === this.#link.send.frames);
        // One look at our host is good for this call, however long it took.
        if (guarded !== undefined || (guarded = this.#link.guard(nowMs)) === undefined) break;
        await guarded;
        continue;
      }
      const polled = this.#link.poll();
      if (polled !== undefined) await polled;
      if (this.#sender.ready(nowMs)) continue;
      if (this.#tellBlocked()) await this.#link.publish();
      const paused = this.#link.pause(this.#writeLadder, signal);
      if (paused !== undefined) await paused;
    }
    const count = this.#sender.send(from, nowMs);
    this.#counters.sentBytes += count;
    if (nowMs - this.#wroteMs > SLEEP_MS_MAX) this.#readLadder.expect(nowMs);
    this.#wroteMs = nowMs;
    const turn = this.#link.turns.due(nowMs, this.#link.asynchronous);
    if (turn !== undefined) await turn;
    return count;
  }

  /** True when what came followed on something of ours that the peer has: it waits for us, too. */
  #wasAnswered(): boolean {
    const { frames, ackedFrames } = this.#link.send;
    const hasAsked = frames > this.#askedFrames;
    this.#askedFrames = frames;
    return hasAsked && ackedFrames === frames;
  }

  /**
   * On an asynchronous volume the reader's next acknowledgement is mostly on its way, and a write
   * that asks for it would only be in front of others.
   */
  #tellBlocked(): boolean {
    const { asynchronous, send } = this.#link;
    if (asynchronous) {
      this.#writeLadder.unhurried();
      if (send.underWay || !this.#writeLadder.idle) return false;
    }
    return this.#link.setBlocked(true);
  }

  async #close(): Promise<void> {
    // A write that waits for credit ends with `closed`; one that is on its way completes.
    await this.#writing?.catch(() => {});
    await this.#guarded(() => this.#link.dispatch({ type: "close" }));
    const { clock, timing } = this.medium;
    const ladder = new IdleLadder();
    let progress = this.#link.progress;
    let progressMs = clock.monotonicMs();
    while (this.#link.state.phase === "closing") {
      await this.#guarded(() => this.#link.poll());
      if (this.#link.state.phase !== "closing") break;
      const nowMs = clock.monotonicMs();
      const { send } = this.#link;
      if (this.#link.progress !== progress) progressMs = nowMs;
      progress = this.#link.progress;
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
