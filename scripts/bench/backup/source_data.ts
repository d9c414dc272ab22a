// The data of the backup benchmark: words and numbers as in texts and logs, and blocks that do not
// compress. No two blocks are the same, so that deduplication finds nothing. Made from a seed.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BLOCK_BYTES, FILES_PER_DIRECTORY, LARGE_BYTES, ONE_BYTES, RANDOM_EACH } from "./limits.ts";

const WORDS = 4096;
const CHUNK_BYTES = 400 * BLOCK_BYTES;

/** Fills buffers; the same seed fills them the same way. */
export class DataMaker {
  readonly #words: readonly Uint8Array[];
  #state: number;
  #blocks = 0;

  constructor(seed: number) {
    this.#state = seed | 1;
    const letter = () => 97 + this.#next() % 26;
    this.#words = Array.from({ length: WORDS }, () => {
      const word = Uint8Array.from({ length: 3 + this.#next() % 8 }, letter);
      word[word.length - 1] = this.#next() % 12 === 0 ? 0x0a : 0x20;
      return word;
    });
  }

  fill(into: Uint8Array): void {
    for (let at = 0; at < into.length; at += BLOCK_BYTES) {
      const block = into.subarray(at, at + BLOCK_BYTES);
      if (this.#blocks++ % RANDOM_EACH === 0) this.#fillRandom(block);
      else this.#fillWords(block);
    }
  }

  #fillRandom(block: Uint8Array): void {
    for (let at = 0; at < block.length; at++) block[at] = this.#next() >>> 11;
  }

  /** Frequent words are frequent: the square of an even choice. */
  #fillWords(block: Uint8Array): void {
    for (let at = 0; at < block.length;) {
      const random = this.#next();
      const part = (random & 0xffff) / 0x10000;
      const word = this.#words[Math.floor(part * part * WORDS)] as Uint8Array;
      for (let index = 0; index < word.length && at < block.length; index++) {
        block[at++] = word[index] as number;
      }
    }
  }

  /** xorshift32. */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

/** Makes `count` small files below `directory`, some hundreds in each folder, and one tiny file. */
export function makeSmallFiles(directory: string, count: number, bytes: number): void {
  const maker = new DataMaker(1);
  const content = new Uint8Array(bytes);
  for (let made = 0; made < count; made++) {
    const folder = join(directory, `folder${Math.floor(made / FILES_PER_DIRECTORY)}`);
    if (made % FILES_PER_DIRECTORY === 0) mkdirSync(folder, { recursive: true });
    maker.fill(content);
    writeFileSync(join(folder, `document-${made}.txt`), content);
  }
  const tiny = new Uint8Array(ONE_BYTES);
  maker.fill(tiny);
  writeFileSync(join(directory, "one.txt"), tiny);
}

export function makeLargeFiles(directory: string, count: number): void {
  mkdirSync(directory, { recursive: true });
  const maker = new DataMaker(2);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let made = 0; made < count; made++) {
    const descriptor = openSync(join(directory, `large${made}.bin`), "w");
    for (let at = 0; at < LARGE_BYTES; at += CHUNK_BYTES) {
      maker.fill(chunk);
      writeSync(descriptor, chunk);
    }
    closeSync(descriptor);
  }
}
