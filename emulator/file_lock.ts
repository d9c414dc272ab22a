// A lock on a whole file that dies with its holder (flock), tried with a deadline.
//
// Each FileLock has its own descriptor, so several in one process exclude each other too.

import { AT_CWD, type Files } from "../transport/runtime/files.ts";
import type { Clock } from "../transport/runtime/runtime.ts";
import { exists } from "./array_directory.ts";

/** Between two attempts, milliseconds: these locks guard set-up, not I/O. */
const RETRY_MS = 5;

export class FileLock {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #descriptor: number;
  readonly #path: string;
  #closed = false;

  /** Opens, and makes if need be, the file at `path`. @throws SystemError */
  constructor(path: string, parts: { readonly files: Files; readonly clock: Clock }) {
    this.#files = parts.files;
    this.#clock = parts.clock;
    this.#path = path;
    const flags = { access: "read-write", create: true, mode: 0o600 } as const;
    this.#descriptor = parts.files.open(AT_CWD, path, flags);
  }

  /** Takes the lock, or changes its kind. @returns false when another holds it */
  tryTake(kind: "shared" | "exclusive"): boolean {
    return this.#files.lock(this.#descriptor, kind, { wait: false });
  }

  /** Tries for `waitMs`, blocking the thread. @returns false when another held it all the time */
  take(kind: "shared" | "exclusive", waitMs: number): boolean {
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    while (!this.tryTake(kind)) {
      if (this.#clock.monotonicMs() >= deadlineMs) return false;
      this.#clock.doze(RETRY_MS);
    }
    return true;
  }

  /** False when its file was removed meanwhile: who makes it again locks another one. */
  isCurrent(): boolean {
    if (!exists(this.#files, this.#path)) return false;
    const own = this.#files.statDescriptor(this.#descriptor).inode;
    return this.#files.stat(AT_CWD, this.#path).inode === own;
  }

  release(): void {
    this.#files.unlock(this.#descriptor);
  }

  /** Releases and closes. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#files.close(this.#descriptor);
  }
}
