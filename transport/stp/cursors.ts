// The cursors of one connection: pure flow control over frames and bytes.
//
// Invariants:
//  1. Cursors are counts that only grow.
//  2. The reader's cursor is the only permission to overwrite: written - acked <= limit.
//  3. Published is only what is on its volume, without a gap below it.
//  4. A cursor of the peer that moves back, or past what is possible, is ignored.

import { assert } from "../ground/assert.ts";

/** What a cursor that the peer published turned out to be. */
export type CursorVerdict = "same" | "moved" | "back" | "beyond";

/** Our outgoing direction. */
export class SendWindow {
  /** Frames and bytes whose writing began. */
  frames = 0;
  bytes = 0;
  /** Of those, what is on its volumes without a gap: this is published. */
  doneFrames = 0;
  doneBytes = 0;
  /** What the peer was told last. */
  publishedFrames = 0;
  ackedFrames = 0;
  ackedBytes = 0;
  /** Frames that may be in flight: a share of the budget, at most the window. */
  limit: number;
  readonly #slots: number;
  /** By frame mod slots: its length, and whether it is on its volume. */
  readonly #lengths: number[];
  readonly #written: boolean[];

  constructor(slots: number) {
    this.#slots = slots;
    this.limit = slots;
    this.#lengths = new Array<number>(slots).fill(0);
    this.#written = new Array<boolean>(slots).fill(false);
  }

  /** Frames that may be written now; below zero after the limit fell. */
  get credit(): number {
    return Math.min(this.limit, this.#slots) - (this.frames - this.ackedFrames);
  }

  /** A frame's writing begins. */
  produce(lengthBytes: number): void {
    assert(this.credit > 0, "a frame is only written with credit");
    const index = this.frames % this.#slots;
    this.#lengths[index] = lengthBytes;
    this.#written[index] = false;
    this.frames++;
    this.bytes += lengthBytes;
  }

  /** The frame that began last, whose writing waits, takes more bytes. */
  extend(lengthBytes: number): void {
    assert(this.underWay, "a frame grows before it is on its volume");
    const index = (this.frames - 1) % this.#slots;
    this.#lengths[index] = (this.#lengths[index] ?? 0) + lengthBytes;
    this.bytes += lengthBytes;
  }

  /** Frame `seq` is on its volume. @returns true when more may be published */
  complete(seq: number): boolean {
    assert(seq >= this.doneFrames && seq < this.frames, "a frame completes once");
    this.#written[seq % this.#slots] = true;
    const before = this.doneFrames;
    while (this.doneFrames < this.frames) {
      const index = this.doneFrames % this.#slots;
      if (this.#written[index] !== true) break;
      this.doneBytes += this.#lengths[index] ?? 0;
      this.doneFrames++;
    }
    return this.doneFrames > before;
  }

  /** True while a frame is not on its volume yet. */
  get underWay(): boolean {
    return this.doneFrames < this.frames;
  }

  /**
   * Whether to tell the peer now what is on its volumes: when nothing more is under way, or when a
   * quarter of the window was not told. More often costs a write per frame; more seldom makes the
   * peer wait, which reads the one half while the other is written.
   */
  get publishDue(): boolean {
    if (!this.underWay) return true;
    const untold = this.doneFrames - this.publishedFrames;
    return untold * 4 >= Math.min(this.limit, this.#slots);
  }

  acknowledge(frames: number, bytes: number): CursorVerdict {
    if (frames === this.ackedFrames && bytes === this.ackedBytes) return "same";
    if (frames < this.ackedFrames || bytes < this.ackedBytes) return "back";
    if (!(frames <= this.doneFrames && bytes <= this.doneBytes)) return "beyond";
    this.ackedFrames = frames;
    this.ackedBytes = bytes;
    return "moved";
  }
}

/** What a peer says about its outgoing direction; its control block is one. */
export interface Announcement {
  readonly producedFrames: number;
  readonly producedBytes: number;
  /** Frames that it lets be in flight now. */
  readonly windowFrames: number;
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
  /** What the peer's window is now: half of it unacknowledged is worth telling. */
  #peerFrames: number;
  readonly #slots: number;
  readonly #payloadBytes: number;

  constructor(slots: number, payloadBytes: number) {
    this.#slots = slots;
    this.#peerFrames = slots;
    this.#payloadBytes = payloadBytes;
  }

  get available(): number {
    return this.announcedFrames - this.frames;
  }

  announce(peer: Announcement): CursorVerdict {
    const moreFrames = peer.producedFrames - this.announcedFrames;
    const moreBytes = peer.producedBytes - this.announcedBytes;
    if (peer.windowFrames > 0) this.#peerFrames = Math.min(peer.windowFrames, this.#slots);
    if (moreFrames === 0 && moreBytes === 0) return "same";
    if (moreFrames < 0 || moreBytes < 0) return "back";
    const possible = peer.producedFrames <= this.frames + this.#slots && moreBytes >= moreFrames &&
      moreBytes <= moreFrames * this.#payloadBytes;
    if (!possible) return "beyond";
    this.announcedFrames = peer.producedFrames;
    this.announcedBytes = peer.producedBytes;
    return "moved";
  }

  consume(lengthBytes: number): void {
    assert(this.available > 0, "only an announced frame is consumed");
    this.frames++;
    this.bytes += lengthBytes;
  }

  /**
   * Whether to tell the peer now how far we are: when it waits for credit, when half of its window
   * is unacknowledged, or when we have nothing left to read. More often costs a write per frame;
   * more seldom makes the peer wait.
   */
  ackDue(state: { readonly peerBlocked: boolean; readonly idle: boolean }): boolean {
    const unacked = this.frames - this.publishedFrames;
    if (unacked === 0) return false;
    return state.peerBlocked || state.idle || unacked * 2 >= this.#peerFrames;
  }
}
