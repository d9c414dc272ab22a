// The thread that writes small files, played on the test's own: it works when it is told to, or
// when a restore waits for it.

import { setImmediate } from "node:timers";
import {
  type FromSmallFileWriter,
  type SecondWriterOptions,
  SmallFileWriter,
  type ToSmallFileWriter,
} from "../../../../agent/application/mod.ts";
import type { Files } from "../../../../transport/runtime/files.ts";

export class LateWriter {
  /** What was posted to it. */
  readonly posted: string[] = [];
  readonly options: SecondWriterOptions;
  closed = false;
  batches = 0;
  readonly #files: Files;
  readonly #waiting: ToSmallFileWriter[] = [];
  readonly #unheard: MessageEvent[] = [];
  #listener: ((event: MessageEvent) => void) | null = null;
  #writer: SmallFileWriter | null = null;

  constructor(files: Files) {
    this.#files = files;
    const ask = () => {
      this.#say({ type: "ready" });
      return Promise.resolve(this);
    };
    this.options = { clock: { doze: () => this.work(1) }, ask, afterFiles: 1 };
  }

  postMessage(message: ToSmallFileWriter): void {
    this.posted.push(message.type);
    if (message.type === "begin") {
      const post = (said: FromSmallFileWriter) => this.#say(said);
      this.#writer = new SmallFileWriter({ files: this.#files, post }, message);
    } else if (message.type === "end") this.#say({ type: "end" });
    else this.#waiting.push(message);
  }

  /** Writes so many of the batches that wait. */
  work(count: number): void {
    for (const batch of this.#waiting.splice(0, count)) {
      if (batch.type === "batch") this.#writer?.write(batch);
      this.batches++;
    }
  }

  set onmessage(listener: ((event: MessageEvent) => void) | null) {
    this.#listener = listener;
    setImmediate(() => this.#deliver());
  }

  close(): void {
    this.closed = true;
  }

  #say(data: FromSmallFileWriter): void {
    this.#unheard.push(new MessageEvent("message", { data }));
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    if (this.#listener !== null) this.#unheard.splice(0).forEach(this.#listener);
  }
}
