// One board of the system memory (Fig. 2, 22): a shared file, its lock, its part of the cache.
//
// Invariants:
//  1. One access at a time: everything but validated reads happens between `lock` and `unlock`.
//  2. The lock is an flock of this attachment's own descriptor and dies with its process.
//  3. `intent` is 1 during every hold; who finds it set after taking the lock repairs first.
//  4. A board that was switched off fails every request with `volume`, for ever.
//  5. A holder that stopped does not block for ever: `lock` gives up after LOCK_WAIT_MS.

import { assert } from "../transport/ground/assert.ts";
import { AgentError } from "../transport/ground/error.ts";
import type { Files } from "../transport/runtime/files.ts";
import type { Clock, SharedMemory } from "../transport/runtime/runtime.ts";
import { type BoardCounter, type BoardLayout, POWER_OFF, STATE } from "./board_layout.ts";
import type { BoardOrigin } from "./board_header.ts";
import { repairBoard } from "./board_repair.ts";
import { BoardWords } from "./board_words.ts";
import { Cache } from "./cache.ts";
import type { PendingMarks } from "./pending_marks.ts";
import { LOCK_SLEEP_MS, LOCK_SPINS, LOCK_WAIT_MS } from "./limits.ts";

/** What a board is made of; the board closes memory, descriptor and marks. */
export interface BoardParts {
  readonly path: string;
  readonly origin: BoardOrigin;
  readonly layout: BoardLayout;
  readonly memory: SharedMemory;
  readonly marks: PendingMarks;
  /** Open on the board's file, for the lock. */
  readonly descriptor: number;
  readonly files: Files;
  readonly clock: Clock;
  /** Process id of this attachment, for those who find the board busy. */
  readonly pid: number;
}

export class MemoryBoard {
  readonly path: string;
  readonly origin: BoardOrigin;
  readonly layout: BoardLayout;
  readonly words: BoardWords;
  readonly cache: Cache;
  readonly descriptor: number;
  readonly #marks: PendingMarks;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #pid: number;
  #held = false;
  #refused = false;
  #closed = false;
  /** Lock-free hits and waits of this attachment that the shared counters do not have yet. */
  #unpublishedHits = 0;
  #unpublishedWaits = 0;

  constructor(parts: BoardParts) {
    this.path = parts.path;
    this.origin = parts.origin;
    this.layout = parts.layout;
    this.words = new BoardWords(parts.memory, parts.layout);
    this.cache = new Cache(this.words, parts.marks);
    this.#marks = parts.marks;
    this.descriptor = parts.descriptor;
    this.#files = parts.files;
    this.#clock = parts.clock;
    this.#pid = parts.pid;
  }

  /**
   * Takes the board, repairing it if its last holder left it half changed.
   * @throws AgentError `busy` naming board and holder after LOCK_WAIT_MS | `volume` (no power)
   */
  lock(): void {
    if (this.tryLock()) return;
    this.#unpublishedWaits++;
    for (let attempt = 1; attempt < LOCK_SPINS; attempt++) {
      if (this.tryLock()) return;
    }
    const deadlineMs = this.#clock.monotonicMs() + LOCK_WAIT_MS;
    while (this.#clock.monotonicMs() < deadlineMs) {
      this.#clock.doze(LOCK_SLEEP_MS);
      if (this.tryLock()) return;
    }
    const holder = this.words.state(STATE.holder);
    throw new AgentError(
      "busy",
      `Cannot use memory board "${this.path}": held by process ${holder} for more than ` +
        `${LOCK_WAIT_MS} ms, need it free`,
      { hint: `Continue or end process ${holder}: it seems to be stopped.` },
    );
  }

  /** Takes the board if nobody has it now. @throws AgentError `volume` (no power) */
  tryLock(): boolean {
    assert(!this.#held && !this.#closed, "a board is locked once, and while open");
    if (!this.#files.lock(this.descriptor, "exclusive", { wait: false })) return false;
    this.#held = true;
    let sound = false;
    try {
      this.#begin();
      sound = true;
    } finally {
      if (!sound) this.unlock(false);
    }
    return true;
  }

  /** Gives the board back. `sound` false leaves the intent set: the next holder repairs. */
  unlock(sound: boolean): void {
    assert(this.#held, "a board is unlocked by its holder");
    if (sound || this.#refused) this.words.setState(STATE.intent, 0);
    this.#refused = false;
    this.#held = false;
    this.#files.unlock(this.descriptor);
  }

  /** False once the board was switched off (power_failure.ts). */
  get hasPower(): boolean {
    return this.words.state(STATE.power) !== POWER_OFF;
  }

  /**
   * The error of a holder that finds tables or headers damaged, between two changes. The board
   * stays as it is: the repair after a killed holder believes headers, and would seal the damage.
   */
  damage(found: string, wanted: string): AgentError {
    this.#refused = true;
    return new AgentError(
      "damaged",
      `Cannot use memory board "${this.path}": ${found}, need ${wanted}`,
      { hint: "Stop the agents that use the array, then run agent array repair." },
    );
  }

  /** Notes a hit of a read without the lock; it reaches the shared counters at the next hold. */
  noteHit(): void {
    this.#unpublishedHits++;
  }

  /** Adds to a shared counter; only while the lock is held. */
  count(counter: BoardCounter, delta = 1): void {
    assert(this.#held, "shared counters change under the lock");
    this.words.count(counter, delta);
  }

  /** Publishes this attachment's counters and closes memory and descriptor. Idempotent. */
  close(): void {
    if (this.#closed) return;
    try {
      // A busy board keeps its figures without ours: counters are not worth a wait.
      if (this.#unpublishedHits > 0 && this.tryLock()) this.unlock(true);
    } catch (error) {
      // Without power there are no figures any more.
      if (!(error instanceof AgentError)) throw error;
    }
    this.#closed = true;
    this.words.memory.close();
    this.#marks.close();
    this.#files.close(this.descriptor);
  }

  #begin(): void {
    if (!this.hasPower) {
      throw new AgentError(
        "volume",
        `Cannot use memory board "${this.path}": it lost its power, ` +
          "need the array attached again",
        { hint: "Start the agent again; agent array check names the records that were lost." },
      );
    }
    const orphaned = this.words.state(STATE.intent) !== 0;
    this.words.setState(STATE.intent, 1);
    this.words.setState(STATE.holder, this.#pid);
    if (orphaned) repairBoard(this.words, this.cache);
    this.words.addState(STATE.tick, 1);
    this.#publish();
  }

  #publish(): void {
    if (this.#unpublishedHits > 0) {
      this.words.count("reads", this.#unpublishedHits);
      this.words.count("hits", this.#unpublishedHits);
      this.#unpublishedHits = 0;
    }
    if (this.#unpublishedWaits > 0) {
      this.words.count("waits", this.#unpublishedWaits);
      this.#unpublishedWaits = 0;
    }
  }
}
