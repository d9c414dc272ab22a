// One budget of frames in flight for all connections of a worker on one group: the slots that they
// use together stay in the CPU cache. It is divided over the connections that are sending.
//
// Invariants: pure, on the clock that is handed in. Each connection has at least FRAMES_MIN, else
// it waits for an answer to each frame; one that stopped sending gives its share back within
// SHARE_MS. Connections that send small frames only take no share.

import { FRAMES_MIN, ODD_BYTES_MAX, SHARE_MS } from "./limits.ts";

export class FrameBudget {
  readonly #frames: number;
  readonly #shares = new Set<FrameShare>();
  #sending = 1;
  #countedMs = -Infinity;

  /** `frames`: of full length, of all connections together. */
  constructor(frames: number) {
    this.#frames = frames;
  }

  join(): FrameShare {
    const share = new FrameShare(this);
    this.#shares.add(share);
    return share;
  }

  leave(share: FrameShare): void {
    this.#shares.delete(share);
    this.#countedMs = -Infinity;
  }

  /** Frames that one of the sending connections may have in flight. */
  frames(nowMs: number): number {
    if (nowMs - this.#countedMs >= SHARE_MS / 4) this.#count(nowMs);
    return Math.max(FRAMES_MIN, Math.floor(this.#frames / this.#sending));
  }

  /** A connection began to send: the others make room at once. */
  recount(): void {
    this.#countedMs = -Infinity;
  }

  #count(nowMs: number): void {
    this.#countedMs = nowMs;
    let sending = 0;
    for (const share of this.#shares) if (nowMs - share.sentMs < SHARE_MS) sending++;
    this.#sending = Math.max(1, sending);
  }
}

/** What one connection has of the budget. */
export class FrameShare {
  /** When it last sent a frame that counts. */
  sentMs = -Infinity;
  readonly #budget: FrameBudget;

  constructor(budget: FrameBudget) {
    this.#budget = budget;
  }

  /** Frames that may be in flight now. */
  frames(nowMs: number): number {
    return this.#budget.frames(nowMs);
  }

  noteFrame(lengthBytes: number, nowMs: number): void {
    if (lengthBytes <= ODD_BYTES_MAX) return;
    const began = nowMs - this.sentMs >= SHARE_MS;
    this.sentMs = nowMs;
    if (began) this.#budget.recount();
  }

  leave(): void {
    this.#budget.leave(this);
  }
}
