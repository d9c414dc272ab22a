// What goes to one stream of a restore: the parts that came, and what of them was not taken yet.

import type { StreamSink } from "./programs.ts";

export class StreamInput {
  readonly #pathOf: (part: number) => string;
  #waiting: Uint8Array[] = [];
  #parts = 0;
  #draining: Promise<void> = Promise.resolve();

  /** @param pathOf full path of a part, counted from 1 */
  constructor(pathOf: (part: number) => string) {
    this.#pathOf = pathOf;
  }

  get isEmpty(): boolean {
    return this.#parts === 0;
  }

  /** Of the part that comes next. */
  nextPath(): string {
    return this.#pathOf(this.#parts + 1);
  }

  begin(): void {
    this.#parts += 1;
  }

  add(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  /** Gives what came so far to the program, after what was given before. */
  drain(sink: StreamSink): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#draining = this.#draining.then(async () => {
      for (const bytes of waiting) await sink.write(bytes);
    });
    return this.#draining;
  }
}
