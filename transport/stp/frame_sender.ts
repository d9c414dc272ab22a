// The outgoing half of a connection: starts frames while there is credit, publishes those that are
// on their volumes, and writes again what the peer asks for.
//
// Invariants:
//  1. Only the prefix of frames that are complete on every volume below them is published.
//  2. The endpoint is not given back while a write of ours to its slots is under way.
//  3. A frame is open only while others are being written (GATHER_WRITES): the landing of one
//     begins it, so nothing that was accepted waits for a further call.
//  4. A write that failed ends the connection; its slots may still change (`undrained`).

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import type { FrameShare } from "./frame_budget.ts";
import { FrameEntry, INLINE_SLOT } from "./frame_entry.ts";
import { FrameSlots } from "./frame_slots.ts";
import { FrameWriter } from "./frame_writer.ts";
import { GATHER_WRITES, INLINE_BYTES_MAX } from "./limits.ts";
import { volumeOfFrame, windowFrames } from "./stg_layout.ts";
import type { StpLink } from "./stp_link.ts";

export class FrameSender {
  readonly #link: StpLink;
  readonly #writer: FrameWriter;
  readonly #slots: FrameSlots;
  readonly #share: FrameShare;
  /** Descriptors of what is not acknowledged, by frame mod window. */
  readonly #entries: readonly FrameEntry[];
  /** Frames whose slots were given back. */
  #freedFrames = 0;
  /** So many writes under way let further bytes gather. */
  readonly #gatherWrites: number;
  /** Writes of payloads that are under way, but for those that were asked for again. */
  #writes = 0;
  /** The last frame, while it takes more bytes before its writing begins. */
  #open: FrameEntry | null = null;

  constructor(link: StpLink) {
    const { layout } = link.medium.identity;
    this.#link = link;
    this.#writer = new FrameWriter(link.medium, link.ids);
    this.#slots = new FrameSlots(layout.volumeCount, layout.slotsPerVolume);
    this.#entries = Array.from({ length: windowFrames(layout) }, () => new FrameEntry());
    this.#gatherWrites = GATHER_WRITES * layout.volumeCount;
    this.#share = link.budget.join();
    link.onReleased = () => this.#share.leave();
    link.onAsked = (seq) => this.#sendAgain(seq);
  }

  /** True when a frame may be written at `nowMs`. */
  ready(nowMs: number): boolean {
    const { send } = this.#link;
    send.limit = this.#share.frames(nowMs);
    if (this.#open !== null) return true;
    if (send.credit <= 0) return false;
    if (this.#freedFrames < send.ackedFrames) this.#freeSlots();
    if (send.frames - this.#freedFrames >= this.#entries.length) return false;
    return this.#slots.hasFree(this.#volumeOf(send.frames));
  }

  /**
   * Starts frames from a prefix of `from`, as many as there is credit for. The bytes are copied.
   * @returns how many bytes went out
   * @throws AgentError `volume`
   */
  send(from: Uint8Array, nowMs: number): number {
    let count = 0;
    while (count < from.length && this.ready(nowMs)) {
      if (this.#open !== null) {
        count += this.#gather(this.#open, from.subarray(count), nowMs);
        continue;
      }
      const length = this.#writer.frameBytes(from.length - count);
      const payload = length === from.length ? from : from.subarray(count, count + length);
      this.#share.noteFrame(length, nowMs);
      this.#sendFrame(payload, nowMs);
      count += length;
    }
    return count;
  }

  #sendFrame(payload: Uint8Array, nowMs: number): void {
    const link = this.#link;
    const { send } = link;
    const seq = send.frames;
    const entry = this.#entryOf(seq);
    entry.seq = seq;
    entry.streamOffset = send.bytes;
    entry.lengthBytes = payload.length;
    entry.payloadCrc = crc32(payload);
    const inline = payload.length <= INLINE_BYTES_MAX && send.ackedFrames === seq;
    entry.slot = inline ? INLINE_SLOT : this.#slots.take(this.#volumeOf(seq));
    send.produce(payload.length);
    link.setBlocked(false);
    if (inline) {
      link.own.describeInline(entry, payload);
      return this.#complete(seq, nowMs);
    }
    if (this.#writes < this.#gatherWrites) {
      return this.#write(entry, nowMs, () => this.#writer.write(entry, payload));
    }
    this.#writer.keep(entry, 0, payload);
    this.#open = entry;
    this.#beginWhenFull(entry, nowMs);
  }

  /** Puts a prefix of `from` into the open frame. @returns its length */
  #gather(entry: FrameEntry, from: Uint8Array, nowMs: number): number {
    const room = this.#link.medium.identity.layout.payloadBytes - entry.lengthBytes;
    const part = from.length > room ? from.subarray(0, room) : from;
    this.#writer.keep(entry, entry.lengthBytes, part);
    entry.payloadCrc = crc32(part, entry.payloadCrc);
    entry.lengthBytes += part.length;
    this.#link.send.extend(part.length);
    this.#share.noteFrame(entry.lengthBytes, nowMs);
    this.#beginWhenFull(entry, nowMs);
    return part.length;
  }

  #beginWhenFull(entry: FrameEntry, nowMs: number): void {
    if (entry.lengthBytes === this.#link.medium.identity.layout.payloadBytes) this.#begin(nowMs);
  }

  /** Begins to write the open frame. */
  #begin(nowMs: number): void {
    const entry = this.#open;
    assert(entry !== null, "a frame is open");
    this.#open = null;
    this.#write(entry, nowMs, () => this.#writer.writeKept(entry));
  }

  #write(entry: FrameEntry, nowMs: number, write: () => Completion): void {
    const { own, release } = this.#link;
    own.describe(entry);
    release.beginWrite();
    let pending: Completion;
    try {
      pending = write();
    } catch (error) {
      release.endWrite("failed");
      throw error;
    }
    if (pending !== undefined) return this.#inBackground(this.#finish(entry.seq, pending));
    release.endWrite("landed");
    this.#complete(entry.seq, nowMs);
  }

  async #finish(seq: number, pending: Promise<void>): Promise<void> {
    this.#writes++;
    try {
      await this.#landing(pending);
    } finally {
      this.#writes--;
    }
    const nowMs = this.#link.medium.clock.monotonicMs();
    this.#complete(seq, nowMs);
    if (this.#open === null || this.#writes >= this.#gatherWrites) return;
    const guarded = this.#link.guard(nowMs);
    if (guarded !== undefined) await guarded;
    // It may have grown full meanwhile.
    if (this.#open !== null && this.#isLive()) this.#begin(nowMs);
  }

  #complete(seq: number, nowMs: number): void {
    const { send, failure } = this.#link;
    if (!send.complete(seq) || failure !== null || !send.publishDue) return;
    const published = this.#link.publish(nowMs);
    if (published !== undefined) this.#inBackground(published);
  }

  /** The peer could not read a frame that it did not acknowledge. */
  #sendAgain(seq: number): void {
    const pending = this.#link.guard();
    if (pending !== undefined) this.#inBackground(pending.then(() => this.#writeAgain(seq)));
    else this.#writeAgain(seq);
  }

  #writeAgain(seq: number): void {
    const link = this.#link;
    const entry = this.#entryOf(seq);
    // Another write of the frame that is under way carries the same bytes.
    const due = this.#isLive() && seq >= link.send.ackedFrames &&
      (entry.slot === INLINE_SLOT || this.#writer.isFree(seq, entry.slot));
    if (!due) return;
    link.own.block.sentAgain++;
    if (entry.slot === INLINE_SLOT) return this.#inBackground(this.#tellAgain(undefined));
    link.release.beginWrite();
    let pending: Completion;
    try {
      pending = this.#writer.writeAgain(entry);
    } catch (error) {
      link.release.endWrite("failed");
      throw error;
    }
    if (pending === undefined) link.release.endWrite("landed");
    this.#inBackground(this.#tellAgain(pending));
  }

  /** Publishes as well: it may be the descriptor that the peer cannot read. */
  async #tellAgain(pending: Completion): Promise<void> {
    if (pending !== undefined) await this.#landing(pending);
    if (this.#link.failure === null) await this.#link.publish();
  }

  /** Slots come back in order; a write from one's memory may still be under way. */
  #freeSlots(): void {
    const { ackedFrames } = this.#link.send;
    while (this.#freedFrames < ackedFrames) {
      const { slot } = this.#entryOf(this.#freedFrames);
      if (slot !== INLINE_SLOT) {
        if (!this.#writer.isFree(this.#freedFrames, slot)) return;
        this.#slots.give(this.#volumeOf(this.#freedFrames), slot);
      }
      this.#freedFrames++;
    }
  }

  /**
   * False once the connection is over, which may be while a write was on its way, or our host was
   * looked at: then no other begins, for the endpoint may be another connection's.
   */
  #isLive(): boolean {
    const { phase } = this.#link.state;
    return phase === "open" || phase === "closing";
  }

  #entryOf(seq: number): FrameEntry {
    const entry = this.#entries[seq % this.#entries.length];
    assert(entry !== undefined, "each frame in flight has a descriptor");
    return entry;
  }

  #volumeOf(seq: number): number {
    return volumeOfFrame(this.#link.medium.identity.layout, seq);
  }

  /** The end of a write to our slots that is under way. */
  async #landing(pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#link.release.endWrite("failed");
      throw error;
    }
    this.#link.release.endWrite("landed");
  }

  /** What fails with nobody waiting for it ends the connection; a bug ends the program. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      this.#link.fault(error.message, error);
    });
  }
}
