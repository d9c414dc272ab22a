// Collects garbage now: V8 takes its collector out by a flag, Bun gives its own.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** @throws Error when this runtime gives no way to it */
export function collectGarbage(): void {
  const bun: unknown = Reflect.get(globalThis, "Bun");
  if (typeof bun === "object" && bun !== null && "gc" in bun && typeof bun.gc === "function") {
    bun.gc(true);
    return;
  }
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("found no collector, need one");
  collect();
}
