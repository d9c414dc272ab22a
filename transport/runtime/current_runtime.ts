// The runtime that this program runs on: the one place that asks which it is. Composition roots
// (of the program and of each thread) call it once and hand the parts on.

import { AgentError } from "../ground/error.ts";
import type { Runtime } from "./runtime.ts";

/** @throws AgentError `unsupported` on another runtime, or where libc cannot be called */
export async function currentRuntime(): Promise<Runtime> {
  // Literal specifiers, so that compiled binaries hold both; only one is ever run.
  if (typeof Deno !== "undefined") return (await import("./deno.ts")).denoRuntime();
  if (typeof Bun !== "undefined") return (await import("./bun.ts")).bunRuntime();
  throw new AgentError("unsupported", "Cannot start: found an unknown runtime, need Deno or Bun");
}
