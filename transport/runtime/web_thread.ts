// Threads as web workers: module workers exist in both runtimes.
//
// Invariants:
//  1. No message is lost: before the thread has its door open, messages to it are held (Bun drops
//     those that come while a module still awaits), and before `onMessage` they are kept.
//  2. The first message from a thread is always Ready, made by `webParentThread`.
//  3. A thread that was ended leaves no descriptor open (thread_descriptors.ts).

import { assert } from "../ground/assert.ts";
import type { Files } from "./files.ts";
import type { Clock, Thread } from "./runtime.ts";
import { closeLeftOpen, holdsDescriptors, type ThreadDescriptors } from "./thread_descriptors.ts";

/** Says that the thread takes messages from now on, and what to close when it is ended. */
interface Ready {
  readonly kind: typeof READY;
  readonly descriptors: ThreadDescriptors;
}
const READY = "thread ready";

/** The part of a Worker, or of the global scope inside one, that a thread needs. */
interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Starts a module worker. */
export function startWebThread(
  moduleUrl: URL,
  parts: { readonly files: Files; readonly clock: Clock },
): Thread {
  // Bun's key, which Deno passes over: collect garbage early. A job makes many short-lived objects
  // (measured with 200,000 small files: 299 MiB resident without it).
  const options: WorkerOptions & { readonly smol: boolean } = { type: "module", smol: true };
  const worker = new Worker(moduleUrl.href, options);
  const inbox = new Inbox();
  let held: (() => void)[] | null = [];
  let descriptors: ThreadDescriptors | undefined;
  let ended: Promise<void> | undefined;
  worker.addEventListener("message", (event: MessageEvent) => {
    if (held === null) return inbox.deliver(event.data);
    assert(event.data?.kind === READY, "a thread opens its door before it speaks");
    descriptors = (event.data as Ready).descriptors;
    const early = held;
    held = null;
    for (const post of early) post();
  });
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
    post: (message, transfer = []) => {
      const post = () => worker.postMessage(message, transfer);
      if (held === null) post();
      else held.push(post);
    },
    onMessage: (handler) => inbox.open(handler),
    onError: (handler) => {
      onError = handler;
      if (failure !== undefined) handler(failure);
    },
    holdsDescriptors: () => descriptors === undefined || holdsDescriptors(descriptors),
    terminate: () => {
      worker.terminate();
      if (descriptors === undefined) return Promise.resolve();
      return ended ??= closeLeftOpen(descriptors, parts);
    },
  };
}

/** The door to the thread that started this one: make it once in a thread. */
export function webParentThread(
  scope: Port & { close(): void },
  descriptors: ThreadDescriptors,
): Thread {
  const inbox = new Inbox();
  scope.addEventListener("message", (event) => inbox.deliver(event.data));
  scope.postMessage({ kind: READY, descriptors } satisfies Ready, []);
  return {
    post: (message, transfer = []) => scope.postMessage(message, transfer),
    onMessage: (handler) => inbox.open(handler),
    onError: () => {},
    holdsDescriptors: () => holdsDescriptors(descriptors),
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
