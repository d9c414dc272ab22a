// The cursors of one connection: pure flow control over frames and bytes.
//
// Invariants:
//  1. Cursors are counts that only grow; position in the ring = count mod slots.
//  2. The reader's cursor is the only permission to overwrite: produced - acked <= slots.
//  3. A cursor of the peer that moves back, or past what is possible, is ignored.

import { assert } from "../ground/assert.ts";

/** What a cursor that the peer published turned out to be. */
export type CursorVerdict = "same" | "moved" | "back" | "beyond";

/** Our outgoing direction. */
export class SendWindow {
  frames = 0;
  bytes = 0;
  ackedFrames = 0;
  ackedBytes = 0;
  readonly #slots: number;

  constructor(slots: number) {
    this.#slots = slots;
  }

  /** Frames that may be written now. */
  get credit(): number {
    return this.#slots - (this.frames - this.ackedFrames);
  }

  produce(lengthBytes: number): void {
    assert(this.credit > 0, "a frame is only written with credit");
    this.frames++;
    this.bytes += lengthBytes;
  }

  acknowledge(frames: number, bytes: number): CursorVerdict {
    if (frames === this.ackedFrames && bytes === this.ackedBytes) return "same";
    if (frames < this.ackedFrames || bytes < this.ackedBytes) return "back";
    if (!(frames <= this.frames && bytes <= this.bytes)) return "beyond";
    this.ackedFrames = frames;
    this.ackedBytes = bytes;
    return "moved";
  }
}

/** Our incoming direction. */
export class ReceiveWindow {
  /** Frames and bytes that were taken out of the ring. */
  frames = 0;
  bytes = 0;
  /** What the peer says it produced. */
  announcedFrames = 0;
  announcedBytes = 0;
  /** The consumer cursor that the peer was told last. */
  publishedFrames = 0;
  readonly #slots: number;
  readonly #payloadBytes: number;

  constructor(slots: number, payloadBytes: number) {
    this.#slots = slots;
    this.#payloadBytes = payloadBytes;
  }

  get available(): number {
    return this.announcedFrames - this.frames;
  }

  announce(frames: number, bytes: number): CursorVerdict {
    const moreFrames = frames - this.announcedFrames;
    const moreBytes = bytes - this.announcedBytes;
    if (moreFrames === 0 && moreBytes === 0) return "same";
    if (moreFrames < 0 || moreBytes < 0) return "back";
    const possible = frames <= this.frames + this.#slots && moreBytes >= moreFrames &&
      moreBytes <= moreFrames * this.#payloadBytes;
    if (!possible) return "beyond";
    this.announcedFrames = frames;
    this.announcedBytes = bytes;
    return "moved";
  }

  /** The length of the next frame when the cursors alone tell it, else 0. */
  get nextLengthBytes(): number {
    return this.available === 1 ? this.announcedBytes - this.bytes : 0;
  }

  consume(lengthBytes: number): void {
    assert(this.available > 0, "only an announced frame is consumed");
    this.frames++;
    this.bytes += lengthBytes;
  }

  /**
   * Whether to tell the peer now how far we are: when it waits for credit, when half of the ring
   * is unacknowledged, or when we have nothing left to read. More often costs a write per frame;
   * more seldom makes the peer wait.
   */
  ackDue(state: { readonly peerBlocked: boolean; readonly idle: boolean }): boolean {
    const unacked = this.frames - this.publishedFrames;
    if (unacked === 0) return false;
    return state.peerBlocked || state.idle || unacked * 2 >= this.#slots;
  }
}
