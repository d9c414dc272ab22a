// The incoming half of a connection: takes the announced frames in order, asks again for those
// that do not prove themselves, and tells the peer how far it is.
//
// Invariants:
//  1. A frame that does not prove itself is read again; after ASK_MS_FIRST the writer is asked for
//     it, with growing pauses; after `healMs` the connection ends and names volume and slot.
//  2. Bytes are held by the reader until they are served; the frame counts as taken by then.

import { assert } from "../ground/assert.ts";
import type { Completion } from "../volume.ts";
import { type FrameVerdict, INLINE_SLOT } from "./frame_entry.ts";
import { FramePrefetch } from "./frame_prefetch.ts";
import { FrameReader } from "./frame_reader.ts";
import { ASK_MS_FIRST, ASK_MS_MAX, ODD_BYTES_MAX } from "./limits.ts";
import { volumeOfFrame } from "./stg_layout.ts";
import type { StpLink } from "./stp_link.ts";

export class FrameReceiver {
  readonly #link: StpLink;
  /** One frame at a time, or several: decided at the first, by what the polls returned. */
  #reader: FrameReader | FramePrefetch;
  #decided = false;
  /** Since when the next frame is bad, and when it was found so last; -1 while it is not. */
  #badSinceMs = -1;
  #badMs = -1;
  #askMs = 0;
  #askPauseMs = ASK_MS_FIRST;

  constructor(link: StpLink) {
    this.#link = link;
    this.#reader = new FrameReader(link);
  }

  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  /** True when the last frame was one of a bulk transfer. */
  get bulk(): boolean {
    return this.#reader.lengthBytes > ODD_BYTES_MAX;
  }

  serve(into: Uint8Array): number {
    return this.#reader.serve(into);
  }

  /**
   * Takes the next announced frame. A promise comes back only from an asynchronous volume.
   * @returns count of bytes put into `into`, 0 when the frame cannot be read yet
   * @throws (or rejects) AgentError `volume`
   */
  take(into: Uint8Array): number | Promise<number> {
    if (!this.#decided && this.#link.asynchronous) this.#reader = new FramePrefetch(this.#link);
    this.#decided = true;
    const verdict = this.#reader.read(into);
    if (typeof verdict === "string") return this.#judge(verdict, into);
    return verdict.then((found) => this.#judge(found, into));
  }

  /** Tells the peer how far we are, when it is time. */
  acknowledge(idle: boolean): Completion {
    const { receive, peerBlocked } = this.#link;
    return receive.ackDue({ peerBlocked, idle }) ? this.#link.publish() : undefined;
  }

  #judge(verdict: FrameVerdict, into: Uint8Array): number | Promise<number> {
    if (verdict !== "ok") {
      const pending = this.#takeBad(verdict);
      return pending === undefined ? 0 : pending.then(() => 0);
    }
    this.#badSinceMs = -1;
    const { lengthBytes } = this.#reader;
    this.#link.receive.consume(lengthBytes);
    const count = this.#reader.heldBytes > 0 ? this.#reader.serve(into) : lengthBytes;
    const acked = this.acknowledge(false);
    return acked === undefined ? count : acked.then(() => count);
  }

  #takeBad(verdict: Exclude<FrameVerdict, "ok">): Completion {
    const { medium, receive } = this.#link;
    const { healMs } = medium.timing;
    this.#link.own.countFrame(verdict);
    const nowMs = medium.clock.monotonicMs();
    // Nobody looked for a while: what happened meanwhile is not the writer's delay.
    const paused = this.#badSinceMs >= 0 && nowMs - this.#badMs > healMs / 2;
    if (this.#badSinceMs < 0 || paused) {
      this.#badSinceMs = nowMs;
      this.#askPauseMs = ASK_MS_FIRST;
      this.#askMs = nowMs + this.#askPauseMs;
    }
    this.#badMs = nowMs;
    if (nowMs - this.#badSinceMs > healMs) {
      const seq = receive.frames;
      this.#link.fault(`frame ${seq} on ${this.#placeName(seq)} stayed unreadable (${verdict})`);
    } else if (nowMs >= this.#askMs) {
      this.#askPauseMs = Math.min(this.#askPauseMs * 2, ASK_MS_MAX);
      this.#askMs = nowMs + this.#askPauseMs;
      const asked = this.#link.askAgain(receive.frames);
      return asked === undefined ? this.#link.poll() : asked.then(() => this.#link.poll());
    }
    return this.#link.poll();
  }

  /** Where a frame lies, for people. */
  #placeName(seq: number): string {
    const { medium: { identity: { layout }, volumes } } = this.#link;
    const volume = volumes[volumeOfFrame(layout, seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    const known = this.#reader.slotOf(seq);
    if (known === INLINE_SLOT) return `volume "${volumes[0]?.name}" control block`;
    return `volume "${volume.name}" ${known < 0 ? "without a descriptor" : `slot ${known}`}`;
  }
}
