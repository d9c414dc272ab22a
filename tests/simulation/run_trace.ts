// What happened in a simulated run: a hash over all events, the first broken rule, and, when
// asked for, the events as text.
//
// Invariants: the hash covers time, kind and numbers of each event, so two runs with one hash did
// the same. A broken rule is kept, not thrown: it may be found inside product code, which would
// take the exception for a failing medium.

import type { SimClock } from "./sim_clock.ts";

/** Lines of text that are kept; the newest. */
const LINES_MAX = 4000;

export class RunTrace {
  readonly #clock: SimClock;
  readonly #verbose: boolean;
  #hash = 0x811c9dc5;
  #events = 0;
  #broken: string | null = null;
  readonly lines: string[] = [];

  constructor(clock: SimClock, verbose: boolean) {
    this.#clock = clock;
    this.#verbose = verbose;
  }

  /** Of all events so far, as hexadecimal. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  get eventCount(): number {
    return this.#events;
  }

  get broken(): string | null {
    return this.#broken;
  }

  /** An event: what, who, and numbers. */
  note(kind: string, who: string, ...numbers: readonly number[]): void {
    this.#events++;
    this.#mixText(kind);
    this.#mixText(who);
    this.#mix(Math.floor(this.#clock.nowMs * 1000));
    for (const number of numbers) this.#mix(number);
    if (this.#verbose) this.say(who, `${kind} ${numbers.join(" ")}`);
  }

  /** Text for people: no part of the hash. */
  say(who: string, text: string): void {
    if (!this.#verbose) return;
    if (this.lines.length === LINES_MAX) this.lines.shift();
    const at = this.#clock.nowMs.toFixed(3).padStart(10);
    this.lines.push(`${at} ${who.padEnd(8)} ${text}`);
  }

  /** A rule was broken: the first one is what counts. */
  breakRule(what: string): void {
    this.#broken ??= `at ${this.#clock.nowMs.toFixed(3)} ms: ${what}`;
  }

  #mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
  }

  #mix(word: number): void {
    this.#hash = Math.imul(this.#hash ^ (word >>> 0), 0x01000193) >>> 0;
  }
}
