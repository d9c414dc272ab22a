// What a program reads from a named pipe. It may open it several times in turn: what it did not
// read stays there for the next time, and after the last byte each opening finds the end.
//
// Invariant: nobody finds an end of the pipe before `end` was called.

import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import { PIPE_BYTES } from "../limits.ts";
import type { PipeWait } from "./pipe_wait.ts";

/** Our end of the pipe, and a reading end of ours, which keeps what the program did not read. */
interface Ends {
  readonly writing: number;
  readonly keeping: number;
}

export class PipeWriter implements Disposable {
  readonly #files: Files;
  readonly #path: string;
  readonly #wait: PipeWait;
  #ends: Ends | null = null;

  constructor(files: Files, path: string, wait: PipeWait) {
    this.#files = files;
    this.#path = path;
    this.#wait = wait;
  }

  /**
   * Writes all.
   * @returns false when the program ended before it took everything
   * @throws AgentError `timeout` when it never opens the pipe
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    const ends = this.#ends ??= await this.#open();
    if (ends === null) return false;
    let rest = bytes;
    for (let turn = 0; rest.length > 0;) {
      this.#wait.requireOpen();
      const count = this.#give(ends, rest);
      if (count > 0) {
        rest = rest.subarray(count);
        turn = 0;
        this.#wait.moved();
        continue;
      }
      if (this.#wait.exitCode() !== null) return false;
      await this.#wait.pause(turn++);
    }
    return true;
  }

  /**
   * The stream is whole: waits until the program has read it and ended.
   * @returns false when it ended before it took everything
   */
  async end(): Promise<boolean> {
    const ends = this.#ends ??= await this.#open();
    if (ends === null) return false;
    for (let turn = 0;; turn += 1) {
      this.#wait.requireOpen();
      if (this.#files.unreadBytes(ends.keeping) === 0) break;
      if (this.#wait.exitCode() !== null) return false;
      await this.#wait.pause(turn);
    }
    this[Symbol.dispose]();
    for (let turn = 0; this.#wait.exitCode() === null; turn += 1) {
      this.#wait.requireOpen();
      const again = this.#tryOpen();
      if (again !== null) this.#files.close(again);
      await this.#wait.pause(turn);
    }
    return true;
  }

  [Symbol.dispose](): void {
    if (this.#ends === null) return;
    const { keeping, writing } = this.#ends;
    this.#ends = null;
    this.#files.close(keeping);
    this.#files.close(writing);
  }

  /** Null when the program ended without opening it. */
  async #open(): Promise<Ends | null> {
    for (let turn = 0;; turn += 1) {
      this.#wait.requireOpen();
      const hasEnded = this.#wait.exitCode() !== null;
      const writing = this.#tryOpen();
      if (writing !== null) {
        this.#wait.moved();
        this.#files.widenPipe(writing, PIPE_BYTES);
        const flags = { access: "read", nonBlocking: true } as const;
        return { writing, keeping: this.#files.open(AT_CWD, this.#path, flags) };
      }
      if (hasEnded) return null;
      this.#wait.requireOpening(this.#path);
      await this.#wait.pause(turn);
    }
  }

  /** Null while nobody reads it. */
  #tryOpen(): number | null {
    try {
      return this.#files.open(AT_CWD, this.#path, { access: "write", nonBlocking: true });
    } catch (error) {
      if (error instanceof SystemError && error.errno === "ENXIO") return null;
      throw error;
    }
  }

  #give({ writing }: Ends, bytes: Uint8Array): number {
    try {
      return this.#files.write(writing, bytes);
    } catch (error) {
      if (error instanceof SystemError && error.errno === "EAGAIN") return 0;
      throw error;
    }
  }
}
