// Who this process is on its machine, and whether another process of the same machine is gone: by
// /proc. What a crashed process held can then be taken without waiting for its time to run out.
//
// Invariants:
//  1. "Gone" is only said when it is certain: same boot of the same kernel, same process
//     namespace, and /proc shows every process and not this one. Whatever cannot be read says no.
//  2. A process number alone proves nothing, for numbers are used again: the start time tells.
//  3. A process whose first thread ended counts as there while others of its threads may still
//     have writes under way.

import { createHash } from "node:crypto";
import { AT_CWD, type Files } from "./files.ts";
import { readSmallFile } from "./small_file.ts";

/** Names a process for as long as its machine is up. Plain data. */
export interface ProcessIdentity {
  /** Of the kernel's boot and the process namespace: 32 hexadecimal digits. */
  readonly machine: string;
  readonly pid: number;
  /** Clock ticks between the boot and the start of the process. */
  readonly startTicks: number;
}

export interface ProcessTable {
  /** Null where /proc does not tell. */
  readonly self: ProcessIdentity | null;
  /** True when that process certainly does not run any more. */
  isGone(process: ProcessIdentity): boolean;
}

/** /proc files read here are shorter, in bytes. */
const PROC_BYTES_MAX = 4096;

interface Stat {
  readonly pid: number;
  readonly state: string;
  readonly threads: number;
  readonly startTicks: number;
}

export class ProcProcessTable implements ProcessTable {
  readonly self: ProcessIdentity | null;
  readonly #files: Files;

  /** @param pid our own process number */
  constructor(files: Files, pid: number) {
    this.#files = files;
    this.self = this.#readSelf(pid);
  }

  isGone(process: ProcessIdentity): boolean {
    if (this.self === null || process.machine !== this.self.machine) return false;
    // With `hidepid` the processes of others are not shown: then absence proves nothing.
    if (this.#stat("1") === null) return false;
    if (!this.#exists(String(process.pid))) return true;
    const stat = this.#stat(String(process.pid));
    if (stat === null) return false;
    if (stat.startTicks !== process.startTicks) return true;
    return (stat.state === "Z" || stat.state === "X") && stat.threads <= 1;
  }

  #readSelf(pid: number): ProcessIdentity | null {
    const boot = this.#read("/proc/sys/kernel/random/boot_id");
    const namespace = this.#link("/proc/self/ns/pid");
    const stat = this.#stat("self");
    // A /proc of another namespace numbers processes differently than we do.
    if (boot === null || namespace === null || stat === null || stat.pid !== pid) return null;
    const hash = createHash("sha256").update(`${boot.trim()}\n${namespace}`).digest("hex");
    return { machine: hash.slice(0, 32), pid, startTicks: stat.startTicks };
  }

  #stat(process: string): Stat | null {
    const text = this.#read(`/proc/${process}/stat`);
    // The name stands in parentheses and may contain anything, also parentheses.
    const end = text?.lastIndexOf(") ") ?? -1;
    if (text === null || end < 0) return null;
    const fields = text.slice(end + 2).split(" ");
    const pid = Number(text.slice(0, text.indexOf(" ")));
    const threads = Number(fields[17]);
    const startTicks = Number(fields[19]);
    const state = fields[0] ?? "";
    if (![pid, threads, startTicks].every(Number.isSafeInteger)) return null;
    return { pid, state, threads, startTicks };
  }

  #exists(process: string): boolean {
    try {
      this.#files.stat(AT_CWD, `/proc/${process}`);
      return true;
    } catch (error) {
      return !(error instanceof Error && "errno" in error && error.errno === "ENOENT");
    }
  }

  #read(path: string): string | null {
    try {
      const bytes = readSmallFile(this.#files, path, PROC_BYTES_MAX);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    } catch {
      return null;
    }
  }

  #link(path: string): string | null {
    try {
      return new TextDecoder().decode(this.#files.readLink(AT_CWD, path));
    } catch {
      return null;
    }
  }
}
