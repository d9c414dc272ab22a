// Threads as web workers: module workers exist in both runtimes.
//
// Messages that come before `onMessage` is called are kept and delivered then, so that neither
// side needs to be first.

import type { Thread } from "./runtime.ts";

/** The part of a Worker, or of the global scope inside one, that a thread needs. */
interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Starts a module worker. */
export function startWebThread(moduleUrl: URL): Thread {
  const worker = new Worker(moduleUrl.href, { type: "module" });
  const inbox = new Inbox();
  worker.addEventListener("message", (event: MessageEvent) => inbox.deliver(event.data));
  let onError: ((error: Error) => void) | undefined;
  let failure: Error | undefined;
  worker.addEventListener("error", (event: ErrorEvent) => {
    // Else the runtime would end this thread too.
    event.preventDefault();
    const error = event.error instanceof Error ? event.error : new Error(event.message);
    if (failure !== undefined) return;
    failure = error;
    onError?.(error);
  });
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    onMessage: (handler) => inbox.open(handler),
    onError: (handler) => {
      onError = handler;
      if (failure !== undefined) handler(failure);
    },
    terminate: () => worker.terminate(),
  };
}

/** The door to the thread that started this one. */
export function webParentThread(scope: Port & { close(): void }): Thread {
  const inbox = new Inbox();
  scope.addEventListener("message", (event) => inbox.deliver(event.data));
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    onMessage: (handler) => inbox.open(handler),
    onError: () => {},
    terminate: () => scope.close(),
  };
}

/** Keeps messages until somebody wants them. */
class Inbox {
  #early: unknown[] = [];
  #handler: ((message: unknown) => void) | undefined;

  deliver(message: unknown): void {
    if (this.#handler === undefined) this.#early.push(message);
    else this.#handler(message);
  }

  open(handler: (message: unknown) => void): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    for (const message of early) handler(message);
  }
}
