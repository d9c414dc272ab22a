// The descriptors that a thread has open, in memory that the thread which ends it sees too.
//
// libc's descriptors belong to the process: those of a thread that was ended in the middle of its
// work stay open, and so does a lock that it held through one of them, which then nobody could
// ever take again. Who ends a thread closes them, once the kernel has no such thread any more.
//
// Invariants:
//  1. A place is emptied before its descriptor is closed: a number that may have been given out
//     again is never closed. A thread that is ended in between leaves one descriptor open.
//  2. Nothing is closed while the thread may still run.

import { AT_CWD, type Files, type OpenFlags, type PathBytes, SystemError } from "./files.ts";
import type { Libc } from "./libc.ts";
import { LibcFiles } from "./libc_files.ts";
import {
  THREAD_DESCRIPTORS_MAX,
  THREAD_END_POLL_MS,
  THREAD_END_WAIT_MS,
  THREAD_LATE_POLL_MS,
  THREAD_LATE_WAIT_MS,
} from "./limits.ts";
import type { Clock } from "./runtime.ts";

/** Plain data that crosses to the thread that started this one. */
export interface ThreadDescriptors {
  /** As the kernel numbers threads. */
  readonly threadId: number;
  /** THREAD_DESCRIPTORS_MAX words: descriptor + 1, or 0. */
  readonly places: SharedArrayBuffer;
}

/** Files that note which descriptors are open. */
export class NotedFiles extends LibcFiles {
  readonly #places = new SharedArrayBuffer(THREAD_DESCRIPTORS_MAX * 4);
  readonly #words = new Int32Array(this.#places);

  constructor(libc: Libc) {
    super(libc);
  }

  override open(directory: number, path: PathBytes, flags: OpenFlags): number {
    const descriptor = super.open(directory, path, flags);
    this.note(descriptor);
    return descriptor;
  }

  /** Takes in a descriptor that came from elsewhere; `close` closes it. */
  note(descriptor: number): void {
    const free = this.#words.indexOf(0);
    if (free >= 0) Atomics.store(this.#words, free, descriptor + 1);
  }

  override close(descriptor: number): void {
    const place = this.#words.indexOf(descriptor + 1);
    if (place >= 0) Atomics.store(this.#words, place, 0);
    super.close(descriptor);
  }

  /** Of the calling thread. @throws SystemError without /proc */
  threadDescriptors(): ThreadDescriptors {
    const link = new TextDecoder().decode(this.readLink(AT_CWD, "/proc/thread-self"));
    return { threadId: Number(link.slice(link.lastIndexOf("/") + 1)), places: this.#places };
  }
}

export function holdsDescriptors({ places }: ThreadDescriptors): boolean {
  return new Int32Array(places).some((word) => word !== 0);
}

interface EndingParts {
  readonly files: Pick<Files, "stat" | "close">;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

/**
 * Waits until the thread is gone, and closes what it left open. Of one that does not go within
 * THREAD_END_WAIT_MS, because the kernel holds it, that is done later, and nobody waits for it.
 */
export async function closeLeftOpen(left: ThreadDescriptors, parts: EndingParts): Promise<void> {
  const soon = { pollMs: THREAD_END_POLL_MS, waitMs: THREAD_END_WAIT_MS };
  const late = { pollMs: THREAD_LATE_POLL_MS, waitMs: THREAD_LATE_WAIT_MS };
  if (await closeOnceGone(left, parts, soon)) return;
  void closeOnceGone(left, parts, late);
}

/** @returns false when the thread is still there after that time */
async function closeOnceGone(
  { threadId, places }: ThreadDescriptors,
  { files, clock }: EndingParts,
  { pollMs, waitMs }: { readonly pollMs: number; readonly waitMs: number },
): Promise<boolean> {
  const endMs = clock.monotonicMs() + waitMs;
  while (threadExists(files, threadId)) {
    if (clock.monotonicMs() >= endMs) return false;
    await clock.sleep(pollMs);
  }
  const words = new Int32Array(places);
  for (let place = 0; place < words.length; place++) {
    const descriptor = Atomics.exchange(words, place, 0) - 1;
    if (descriptor >= 0) files.close(descriptor);
  }
  return true;
}

function threadExists(files: EndingParts["files"], threadId: number): boolean {
  try {
    files.stat(AT_CWD, `/proc/self/task/${threadId}`);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return false;
    throw error;
  }
}
