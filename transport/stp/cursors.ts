// The cursors of one connection: pure flow control over frames and bytes.
//
// A direction's ring is used in laps: from frame `lapFrame` on, frame `seq` lies at place
// (seq - lapFrame) mod lapSlots. The writer starts a lap of another length only when the reader
// has taken everything, so that a small window touches few slots and stays in the CPU cache.
//
// Invariants:
//  1. Cursors are counts that only grow.
//  2. The reader's cursor is the only permission to overwrite: written - acked <= lapSlots.
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
  ackedFrames = 0;
  ackedBytes = 0;
  lapFrame = 0;
  lapSlots: number;
  readonly #slots: number;
  #wantedSlots: number;
  /** By frame mod slots: its length, and whether it is on its volume. */
  readonly #lengths: number[];
  readonly #written: boolean[];

  constructor(slots: number) {
    this.#slots = slots;
    this.lapSlots = slots;
    this.#wantedSlots = slots;
    this.#lengths = new Array<number>(slots).fill(0);
    this.#written = new Array<boolean>(slots).fill(false);
  }

  /** Frames that may be written now. */
  get credit(): number {
    if (this.#wantedSlots !== this.lapSlots) return 0;
    return this.lapSlots - (this.frames - this.ackedFrames);
  }

  /** Frames whose writing is not complete. */
  get unfinished(): number {
    return this.frames - this.doneFrames;
  }

  /** Place of frame `seq` in the ring: of the next one, or of one that is not acknowledged. */
  place(seq: number): number {
    return (seq - this.lapFrame) % this.lapSlots;
  }

  /** Wishes for a window of `slots`; it holds from the moment that nothing is in flight. */
  resize(slots: number): void {
    if (slots === this.lapSlots && slots === this.#wantedSlots) return;
    this.#wantedSlots = Math.max(1, Math.min(slots, this.#slots));
    if (this.#wantedSlots === this.lapSlots || this.ackedFrames !== this.frames) return;
    this.lapFrame = this.frames;
    this.lapSlots = this.#wantedSlots;
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
  readonly lapFrame: number;
  /** 0: the whole ring. */
  readonly lapSlots: number;
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
  #lapFrame = 0;
  #lapSlots: number;
  readonly #slots: number;
  readonly #payloadBytes: number;

  constructor(slots: number, payloadBytes: number) {
    this.#slots = slots;
    this.#lapSlots = slots;
    this.#payloadBytes = payloadBytes;
  }

  get available(): number {
    return this.announcedFrames - this.frames;
  }

  /** Place of an announced frame in the peer's ring. */
  place(seq: number): number {
    return (seq - this.#lapFrame) % this.#lapSlots;
  }

  announce(peer: Announcement): CursorVerdict {
    const moreFrames = peer.producedFrames - this.announcedFrames;
    const moreBytes = peer.producedBytes - this.announcedBytes;
    if (moreFrames === 0 && moreBytes === 0) return "same";
    if (moreFrames < 0 || moreBytes < 0 || peer.lapFrame < this.#lapFrame) return "back";
    const lapSlots = peer.lapSlots === 0 ? this.#slots : peer.lapSlots;
    const sameLap = peer.lapFrame === this.#lapFrame && lapSlots === this.#lapSlots;
    // A new lap begins where we have told that we took everything.
    const lapPossible = sameLap || (peer.lapFrame >= this.announcedFrames &&
      peer.lapFrame <= this.publishedFrames && lapSlots <= this.#slots);
    const possible = lapPossible && peer.producedFrames <= this.frames + lapSlots &&
      moreBytes >= moreFrames && moreBytes <= moreFrames * this.#payloadBytes;
    if (!possible) return "beyond";
    this.announcedFrames = peer.producedFrames;
    this.announcedBytes = peer.producedBytes;
    this.#lapFrame = peer.lapFrame;
    this.#lapSlots = lapSlots;
    return "moved";
  }

  /** The length of the next frame when the cursors alone tell it, else 0. */
  get nextLengthBytes(): number {
    return this.available === 1 ? this.announcedBytes - this.bytes : 0;
  }

  /** The most that any announced frame can hold: each other one has at least a byte. */
  get lengthBytesMax(): number {
    const left = this.announcedBytes - this.bytes - (this.available - 1);
    return Math.min(left, this.#payloadBytes);
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
    return state.peerBlocked || state.idle || unacked * 2 >= this.#lapSlots;
  }
}
