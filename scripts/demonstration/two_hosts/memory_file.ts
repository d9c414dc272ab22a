// A file in memory without a name, of a size that can shrink but never grow again: what stands in
// for the disk behind a LUN that can be pulled out.
//
// Invariants:
//  1. The file lives as long as this process, or a loop device, has it open: nothing is left on the
//     machine, not even after SIGKILL.
//  2. It was sealed against growing (memfd_create(2), F_SEAL_GROW). So after `empty()` a write is
//     refused by the kernel as a read is: a plain file would grow again with the first late write.

import type { Libc } from "../../../transport/runtime/libc.ts";

/** Numbers of system calls by architecture: memfd_create and fcntl. */
const CALLS = {
  x86_64: { memfdCreate: 319, fcntl: 72 },
  aarch64: { memfdCreate: 279, fcntl: 25 },
} as const;

/** MFD_CLOEXEC and MFD_ALLOW_SEALING; F_ADD_SEALS with F_SEAL_GROW. */
const CLOSE_ON_EXEC_SEALABLE = 3;
const ADD_SEALS = 1033;
const SEAL_GROW = 4;

async function openLibc(): Promise<Libc> {
  if (typeof Deno !== "undefined") {
    return (await import("../../../transport/runtime/deno_libc.ts")).openDenoLibc();
  }
  return (await import("../../../transport/runtime/bun_libc.ts")).openBunLibc();
}

/** A sealed file in memory. */
export class MemoryFile implements Disposable {
  readonly #libc: Libc;
  #descriptor: number;

  private constructor(libc: Libc, descriptor: number) {
    this.#libc = libc;
    this.#descriptor = descriptor;
  }

  /** Makes a file of `sizeBytes` zeros, which take memory only when they are written. */
  static async make(sizeBytes: number): Promise<MemoryFile> {
    const libc = await openLibc();
    const { memfdCreate, fcntl } = CALLS[libc.architecture];
    // The name is for people and for those who look for what was left behind: the gate by a mark.
    const mark = process.env["LUN_MARK"] ?? "";
    const name = new TextEncoder().encode(`agent-lun-${process.pid}-${mark}\0`);
    const address = libc.addressOf(name);
    const descriptor = libc.syscall(memfdCreate, address, CLOSE_ON_EXEC_SEALABLE, 0, 0, 0);
    if (descriptor < 0) throw new Error(`memfd_create failed with errno ${libc.errno()}`);
    const file = new MemoryFile(libc, descriptor);
    const sized = libc.ftruncate(descriptor, sizeBytes);
    if (sized < 0 || libc.syscall(fcntl, descriptor, ADD_SEALS, SEAL_GROW, 0, 0) < 0) {
      const reason = libc.errno();
      file[Symbol.dispose]();
      throw new Error(`Cannot size and seal a file in memory: errno ${reason}`);
    }
    return file;
  }

  /** A path by which every process can open it. */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.#descriptor}`;
  }

  /** Takes all content away, for good and in one step. */
  empty(): void {
    if (this.#libc.ftruncate(this.#descriptor, 0) === 0) return;
    throw new Error(`Cannot empty ${this.path}: errno ${this.#libc.errno()}`);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor < 0) return;
    this.#libc.close(this.#descriptor);
    this.#descriptor = -1;
  }
}
