// How to wait for the other host: pure policy. First polls at once, then polls between turns of
// the event loop (on a crowded machine soon after dozes, which leave the processor to others), then
// after sleeps that double up to a cap. Traffic starts the ladder again; so does, while the wait is
// young, work of other connections of the thread: it costs them little to be looked after in turn,
// and nobody else gets the processor anyway.
//
// An end whose peer takes its time learns patience: it sleeps right after the first polls and
// leaves the processor to those who have work, the peer among them. It does so until a sleep of it
// made the peer wait, so two fast ends never sleep in turns. (Measured on two cores, a backup of
// 1 GB: 18 s of processor time without, of which 8 were the work.)
//
// An end that breaks a silence expects an answer: as long as the peer may sleep, and a little
// longer, its own sleeps are short.
//
// Invariants: the count of polls bounds every step but the last as well as the time, so that a
// clock that stands still (simulation) cannot make them endless.

import {
  ANSWER_SLEEP_MS_MAX,
  BLIND_POLLS_MAX,
  CROWDED_GAP_MS,
  CROWDED_MS,
  CROWDED_YIELD_MS_MAX,
  PATIENT_AFTER_MS,
  SLEEP_MS_FIRST,
  SLEEP_MS_MAX,
  SPIN_MS_MAX,
  SPIN_POLLS_MAX,
  YIELD_MS_MAX,
  YIELD_POLLS_MAX,
} from "./limits.ts";

/**
 * How long to sleep from `nowMs` for a pause of up to `ms`: the long pauses of all connections of a
 * process end at the same moments, so that it is woken once for all of them.
 */
export function inStep(nowMs: number, ms: number): number {
  const stepMs = ms - (nowMs + ms) % SLEEP_MS_MAX;
  // A timer may fire a little early: the step is then the next one.
  return stepMs < SLEEP_MS_FIRST ? stepMs + SLEEP_MS_MAX : stepMs;
}

/** Count of polls at which the second step ends. */
const YIELD_END = SPIN_POLLS_MAX + YIELD_POLLS_MAX;

export type IdleStep = "spin" | "yield" | "doze" | "sleep";

export class IdleLadder {
  /** How long to sleep when `next` said "sleep". */
  sleepMs = SLEEP_MS_FIRST;
  #pauseMs = SLEEP_MS_FIRST;
  /** Since when this wait lasts (-1: not begun), and since when nobody on the thread works. */
  #beganMs = -1;
  #startedMs = 0;
  /** The latest `next`. */
  #seenMs = 0;
  #works = -1;
  /** The last poll of this wait that did not follow a sleep; -1 without one. */
  #polledMs = -1;
  /** Outlives the wait. */
  #crowdedUntilMs = -1;
  #polls = 0;
  #slept = false;
  #idle = false;
  #hurried = true;
  /** Outlives the wait: its next steps are sleeps. */
  #patient = false;
  /** Outlives the wait: until when the answer to what broke a silence may come. */
  #answerUntilMs = -1;

  /** Traffic was seen: the next wait starts at the foot. */
  reset(): void {
    this.#beganMs = -1;
    this.#polledMs = -1;
    this.#polls = 0;
    this.#slept = false;
    this.#idle = false;
    this.#hurried = true;
    this.#pauseMs = SLEEP_MS_FIRST;
  }

  /**
   * The wait is over.
   * @param late the peer waited for us meanwhile
   */
  settle(late: boolean): void {
    if (this.#beganMs < 0) return;
    if (late) this.#patient = false;
    else if (this.#slept || this.#seenMs - this.#beganMs >= PATIENT_AFTER_MS) this.#patient = true;
  }

  /** True once the wait is longer than a short spin. */
  get idle(): boolean {
    return this.#idle;
  }

  /** The wait that begins is between frames of a bulk transfer: it is not worth many polls. */
  unhurried(): void {
    this.#hurried = false;
  }

  /** Something of ours broke a silence at `nowMs`. */
  expect(nowMs: number): void {
    this.#answerUntilMs = nowMs + 1.5 * SLEEP_MS_MAX;
    this.#pauseMs = Math.min(this.#pauseMs, ANSWER_SLEEP_MS_MAX);
  }

  /** True while the next poll follows at once, whatever the time. */
  blind(): boolean {
    if (!this.#hurried || this.#polls >= BLIND_POLLS_MAX) return false;
    this.#polls++;
    return true;
  }

  /**
   * What to do before the next poll.
   * @param works pieces of work that the thread did so far; absent when that does not matter
   */
  next(nowMs: number, works = this.#works): IdleStep {
    if (this.#beganMs < 0) this.#beganMs = this.#startedMs = nowMs;
    else if (works !== this.#works && nowMs - this.#beganMs < YIELD_MS_MAX) {
      this.#startedMs = nowMs;
      this.#polledMs = -1;
      this.#polls = 0;
    }
    this.#works = works;
    this.#seenMs = nowMs;
    const waitedMs = nowMs - this.#startedMs;
    const gap = this.#polledMs >= 0 && nowMs - this.#polledMs >= CROWDED_GAP_MS;
    if (gap) this.#crowdedUntilMs = nowMs + CROWDED_MS;
    this.#polledMs = nowMs;
    const crowded = nowMs < this.#crowdedUntilMs;
    this.#polls++;
    if (this.#polls <= SPIN_POLLS_MAX && waitedMs < SPIN_MS_MAX) return "spin";
    this.#idle = true;
    if (!this.#patient && this.#polls <= YIELD_END && waitedMs < YIELD_MS_MAX) {
      return crowded && waitedMs >= CROWDED_YIELD_MS_MAX ? "doze" : "yield";
    }
    this.#polledMs = -1;
    const maxMs = nowMs < this.#answerUntilMs ? ANSWER_SLEEP_MS_MAX : SLEEP_MS_MAX;
    if (this.#slept) this.#pauseMs = Math.min(this.#pauseMs * 2, maxMs);
    this.#slept = true;
    this.sleepMs = this.#pauseMs < SLEEP_MS_MAX ? this.#pauseMs : inStep(nowMs, SLEEP_MS_MAX);
    return "sleep";
  }
}
