// What a program writes into a named pipe. It may open it several times in turn: the end of the
// stream is the end of the program, once nobody has the pipe open any more.

import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import { PIPE_BYTES, PIPE_READ_BYTES } from "../limits.ts";
import type { PipeWait } from "./pipe_wait.ts";

export class PipeReader implements Disposable {
  readonly #files: Files;
  readonly #path: string;
  readonly #wait: PipeWait;
  readonly #descriptor: number;
  readonly #into = new Uint8Array(PIPE_READ_BYTES);
  #wasOpened = false;
  #isEmpty = true;

  constructor(files: Files, path: string, wait: PipeWait) {
    this.#files = files;
    this.#path = path;
    this.#wait = wait;
    this.#descriptor = files.open(AT_CWD, path, { access: "read", nonBlocking: true });
    files.widenPipe(this.#descriptor, PIPE_BYTES);
  }

  /**
   * The next bytes, valid until the next call; null at the end.
   * @throws AgentError `timeout` when the program never opens it, `failed` when it ended without
   */
  async read(): Promise<Uint8Array | null> {
    for (let turn = 0;; turn += 1) {
      this.#wait.requireOpen();
      // Asked first: what it wrote before its end is seen by the look that follows.
      const hasEnded = this.#wait.exitCode() !== null;
      const count = this.#look();
      if (count !== null && count > 0) return this.#into.subarray(0, count);
      if (count === 0 && hasEnded) {
        if (this.#isEmpty && this.#wait.exitCode() === 0) throw untouched(this.#path);
        return null;
      }
      if (!this.#wasOpened) this.#wait.requireOpening(this.#path);
      await this.#wait.pause(turn);
    }
  }

  [Symbol.dispose](): void {
    this.#files.close(this.#descriptor);
  }

  /** Count of bytes; 0 while nobody has it open, null while somebody has who writes nothing. */
  #look(): number | null {
    try {
      const count = this.#files.read(this.#descriptor, this.#into);
      if (count === 0) return 0;
      this.#isEmpty = false;
      this.#opened();
      return count;
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== "EAGAIN") throw error;
      if (!this.#wasOpened) this.#opened();
      return null;
    }
  }

  #opened(): void {
    this.#wasOpened = true;
    this.#wait.moved();
  }
}

function untouched(path: string): AgentError {
  const message = `Cannot go on: the program ended and had written nothing to its pipe "${path}"`;
  return new AgentError("failed", message, {
    hint: "Let the program write to each pipe that it is given.",
  });
}
