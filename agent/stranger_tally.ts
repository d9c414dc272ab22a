// What strangers tried, for the audit log: of an address that tries again and again one line a
// minute, with how often. Else its noise would cost a write for each try.
//
// Invariant: a number of addresses a minute have lines of their own; the others share one.

import type { Clock } from "../transport/mod.ts";
import type { Audit, AuditEntry } from "./audit_log.ts";

/** Milliseconds that one line stands for. */
export const TALLY_MS = 60_000;
/** Addresses, each once for each kind of caller, with lines of their own in that time. */
export const TALLY_ADDRESSES_MAX = 64;

/** Callers that proved nothing: of the network's ports, and of the control endpoint. */
const STRANGERS: readonly string[] = ["stranger", "nobody"];

export function isStranger({ who }: AuditEntry): boolean {
  return STRANGERS.includes(who["by"] ?? "");
}

export interface TallyParts {
  readonly clock: Pick<Clock, "sleep">;
  /** Its end brings what was counted until then. */
  readonly signal: AbortSignal;
}

interface Tried {
  readonly first: AuditEntry;
  /** After the first one, which was written when it came. */
  more: number;
}

/** @returns notes the first entry of an address at once, and how many more after a minute */
export function tallied(note: Audit, { clock, signal }: TallyParts): Audit {
  const tries = new Map<string, Tried>();
  const bringTogether = () => {
    for (const [key, { first, more }] of tries) {
      const who = key === OTHERS ? { ...first.who, address: OTHERS } : first.who;
      if (more > 0) note({ ...first, who, details: { ...first.details, more: String(more) } });
    }
    tries.clear();
  };
  return (entry) => {
    const own = `${entry.who["by"]} ${entry.who["address"]}`;
    const key = tries.has(own) || tries.size < TALLY_ADDRESSES_MAX ? own : OTHERS;
    const before = tries.get(key);
    if (before !== undefined) {
      before.more += 1;
      return;
    }
    if (tries.size === 0) {
      void clock.sleep(TALLY_MS, { signal }).catch(() => {}).then(bringTogether);
    }
    tries.set(key, { first: entry, more: 0 });
    note(entry);
  };
}

const OTHERS = "others";
