// What an attachment read of its records before, so that a stale read can return it.
//
// Invariant: at most MAX_STALE_RECORDS records are kept; the ones read longest ago go first.

import { MAX_STALE_RECORDS } from "./limits.ts";

interface Versions {
  readonly newest: Uint8Array;
  /** What stood there before `newest`; null while that is not known. */
  readonly older: Uint8Array | null;
}

export class RecordHistory {
  readonly #records = new Map<string, Versions>();

  /** Notes what was read. @returns what was there before it, null when nothing else was seen */
  note(record: string, content: Uint8Array): Uint8Array | null {
    const known = this.#records.get(record);
    this.#records.delete(record);
    const same = known !== undefined && isEqual(known.newest, content);
    const versions = same
      ? known
      : { newest: content.slice(), older: known === undefined ? null : known.newest };
    this.#records.set(record, versions);
    if (this.#records.size > MAX_STALE_RECORDS) {
      for (const oldest of this.#records.keys()) {
        this.#records.delete(oldest);
        break;
      }
    }
    return versions.older;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
