// When the endpoint of a connection may be given back: not while a write of ours to its slots or
// its control block is under way.
//
// Invariant: given back once, with the word whether a write to the slots may still land: one that
// failed may.

import { assert } from "../ground/assert.ts";
import type { Completion } from "../volume.ts";

export interface ReleaseSteps {
  /** Told that writes were under way at the end; now they have landed. Publishes that. */
  readonly tellDrained: () => Completion;
  readonly release: (drained: boolean) => void;
}

export class EndpointRelease {
  readonly #steps: ReleaseSteps;
  #slotWrites = 0;
  #blockWrites = 0;
  #slotWriteFailed = false;
  #toldUndrained = false;
  #due = false;
  #done = false;

  constructor(steps: ReleaseSteps) {
    this.#steps = steps;
  }

  get done(): boolean {
    return this.#done;
  }

  /** True while a write to the slots is under way, and after one failed. */
  get undrained(): boolean {
    return this.#slotWrites > 0 || this.#slotWriteFailed;
  }

  /** Around every write to our slots. */
  beginWrite(): void {
    this.#slotWrites++;
  }

  /** What failed may still land. */
  endWrite(end: "landed" | "failed"): void {
    this.#slotWrites--;
    assert(this.#slotWrites >= 0, "each write begins before it ends");
    if (end === "failed") this.#slotWriteFailed = true;
    if (this.#due) this.whenQuiet();
  }

  /** Settles as the write of our control block does. */
  async holdFor(pending: Promise<void>): Promise<void> {
    this.#blockWrites++;
    try {
      await pending;
    } finally {
      this.#blockWrites--;
      if (this.#due) this.whenQuiet();
    }
  }

  /** The peer was told that writes are under way. */
  noteUndrained(): void {
    this.#toldUndrained = true;
  }

  /** Gives the endpoint back as soon as nothing is under way. */
  whenQuiet(): void {
    this.#due = this.#slotWrites > 0 || this.#blockWrites > 0;
    if (this.#due || this.#done) return;
    if (this.#toldUndrained && !this.#slotWriteFailed) {
      this.#toldUndrained = false;
      const pending = this.#steps.tellDrained();
      if (pending !== undefined) {
        pending.finally(() => this.whenQuiet());
        return;
      }
    }
    this.#done = true;
    this.#steps.release(!this.#slotWriteFailed);
  }
}
