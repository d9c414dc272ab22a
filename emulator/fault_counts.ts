// How often each rule fired, over all processes: the file `faults.fired`.
//
//   MAX_FAULT_RULES places of 8 bytes: id of the rule, times it fired, both little-endian 32 bits.
//   A rule's place is its id modulo MAX_FAULT_RULES; a place with another id counts as 0.
//
// It is opened when a rule fires for the first time, and changed under a lock on itself that dies
// with its holder.

import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { Clock } from "../transport/runtime/runtime.ts";
import type { FaultRule } from "./fault_rule.ts";
import { FileLock } from "./file_lock.ts";
import { FAULT_COUNT_WAIT_MS, MAX_FAULT_RULES } from "./limits.ts";

const PLACE_BYTES = 8;

export class FaultCounts {
  readonly #path: string;
  readonly #parts: { readonly files: Files; readonly clock: Clock };
  #open: { readonly lock: FileLock; readonly descriptor: number } | null = null;

  constructor(path: string, parts: { readonly files: Files; readonly clock: Clock }) {
    this.#path = path;
    this.#parts = parts;
  }

  /** Counts that `rule` fires. @returns false when it fired as often as it may */
  take({ id, count }: Pick<FaultRule, "id" | "count">): boolean {
    const { lock, descriptor } = this.#opened();
    // Who holds it so long is stopped: a rule without a limit needs no count to fire.
    if (!lock.take("exclusive", FAULT_COUNT_WAIT_MS)) return count === null;
    try {
      const fired = this.#read(descriptor, id);
      if (count !== null && fired >= count) return false;
      this.#write(descriptor, id, fired + 1);
      return true;
    } finally {
      lock.release();
    }
  }

  fired(id: number): number {
    try {
      const descriptor = this.#parts.files.open(AT_CWD, this.#path, { access: "read" });
      try {
        return this.#read(descriptor, id);
      } finally {
        this.#parts.files.close(descriptor);
      }
    } catch (error) {
      if (error instanceof SystemError && error.errno === "ENOENT") return 0;
      throw error;
    }
  }

  /** A new rule has not fired, whatever a file that was edited by hand says. */
  reset(id: number): void {
    const { descriptor } = this.#opened();
    this.#write(descriptor, id, 0);
  }

  /** Idempotent. */
  close(): void {
    if (this.#open === null) return;
    this.#open.lock.close();
    this.#parts.files.close(this.#open.descriptor);
    this.#open = null;
  }

  #opened(): { readonly lock: FileLock; readonly descriptor: number } {
    if (this.#open !== null) return this.#open;
    const lock = new FileLock(this.#path, this.#parts);
    try {
      const descriptor = this.#parts.files.open(AT_CWD, this.#path, { access: "read-write" });
      return this.#open = { lock, descriptor };
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  #read(descriptor: number, id: number): number {
    const bytes = new Uint8Array(PLACE_BYTES);
    if (this.#parts.files.readAt(descriptor, placeOf(id), bytes) < PLACE_BYTES) return 0;
    const view = new DataView(bytes.buffer);
    return view.getUint32(0, true) === id ? view.getUint32(4, true) : 0;
  }

  #write(descriptor: number, id: number, fired: number): void {
    const bytes = new Uint8Array(PLACE_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint32(4, Math.min(fired, 2 ** 32 - 1), true);
    this.#parts.files.writeAllAt(descriptor, placeOf(id), bytes);
  }
}

function placeOf(id: number): number {
  return (id % MAX_FAULT_RULES) * PLACE_BYTES;
}
