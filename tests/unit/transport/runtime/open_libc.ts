// The C library as the runtime under test calls it.

import type { Libc } from "../../../../transport/runtime/libc.ts";

export async function openLibc(): Promise<Libc> {
  if (typeof Deno !== "undefined") {
    return (await import("../../../../transport/runtime/deno_libc.ts")).openDenoLibc();
  }
  return (await import("../../../../transport/runtime/bun_libc.ts")).openBunLibc();
}
