// The 32-bit words of one memory board, as unsigned numbers. Everything the tables do to a board
// goes through here, word by word, so that each step is whole even when its process is killed.

import type { SharedMemory } from "../transport/runtime/runtime.ts";
import { BOARD_COUNTERS, type BoardCounter, type BoardLayout, STATE } from "./board_layout.ts";

export class BoardWords {
  readonly memory: SharedMemory;
  readonly layout: BoardLayout;

  constructor(memory: SharedMemory, layout: BoardLayout) {
    this.memory = memory;
    this.layout = layout;
  }

  load(offsetBytes: number): number {
    return this.memory.load32(offsetBytes) >>> 0;
  }

  store(offsetBytes: number, value: number): void {
    this.memory.store32(offsetBytes, value >>> 0);
  }

  add(offsetBytes: number, delta: number): void {
    this.store(offsetBytes, this.load(offsetBytes) + delta);
  }

  state(word: number): number {
    return this.load(this.layout.stateOffset + word);
  }

  setState(word: number, value: number): void {
    this.store(this.layout.stateOffset + word, value);
  }

  addState(word: number, delta: number): void {
    this.add(this.layout.stateOffset + word, delta);
  }

  /** Adds to a shared counter; only under the board's lock. */
  count(counter: BoardCounter, delta: number): void {
    const at = this.#counterOffset(counter);
    const low = this.load(at) + delta;
    this.store(at, low);
    if (low > 0xffffffff) this.add(at + 4, Math.floor(low / 2 ** 32));
  }

  counter(counter: BoardCounter): number {
    const at = this.#counterOffset(counter);
    return this.load(at + 4) * 2 ** 32 + this.load(at);
  }

  #counterOffset(counter: BoardCounter): number {
    return this.layout.stateOffset + STATE.counters + BOARD_COUNTERS.indexOf(counter) * 8;
  }
}
