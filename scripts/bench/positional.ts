// A runtime whose shared memory is reached by positional I/O although it could be mapped: what the
// array costs on a machine where mapping does not work.

import type { Libc } from "../../transport/runtime/libc.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { LibcSharedMemories } from "../../transport/runtime/shared_memory.ts";

export async function withoutMapping(runtime: Runtime): Promise<Runtime> {
  const libc: Libc = runtime.name === "deno"
    ? (await import("../../transport/runtime/deno_libc.ts")).openDenoLibc()
    : (await import("../../transport/runtime/bun_libc.ts")).openBunLibc();
  const memories = new LibcSharedMemories(libc, runtime.files, { mapping: false });
  return { ...runtime, memories };
}
