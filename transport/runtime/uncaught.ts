// What nobody caught: an error of a callback, a rejection that nobody waits for. It is a bug of
// ours; the runtimes differ in what they make of it, and Bun lets one pass unseen in a worker
// (measured).

import process from "node:process";

/** Calls `handler` for everything that nobody catches on this thread from now on. */
export function onUncaught(handler: (thrown: unknown) => void): void {
  process.on("uncaughtException", handler);
  process.on("unhandledRejection", handler);
}
