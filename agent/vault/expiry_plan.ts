// What an expiry does: which backups go, and which media files with them. Pure: the plan can be
// printed (`--dry-run`), and carrying it out decides nothing more.
//
// A backup that expires disappears from the listings at once. Its media file goes, as a whole, when
// no kept backup needs it; until then it is held. A kept backup needs the media files of its line
// from the full one up to its own, as its label says: also one of which it sees no file may say
// what was deleted, and a rebuilt catalog and stock tools replay them all, in order.

import type { Retention, RetentionConfig } from "../config/mod.ts";
import { applyRetention } from "./retention_policy.ts";
import type { RetentionFact } from "./retention_policy.ts";

/** A backup as an expiry sees it. */
export interface ExpiryFact extends RetentionFact {
  readonly client: string;
  readonly database: string | null;
  readonly kind: string;
  /** Id of its source: retention is decided for each source alone. */
  readonly source: number;
  /** The backups of a generation build on one another. */
  readonly generation: number;
  readonly mediaBytes: number;
  /** Expired before; its media file may still be there. */
  readonly expired: boolean;
}

export interface ExpiryItem {
  readonly fact: ExpiryFact;
  /** "held" is what expired before and is still there, because of others or of a crash. */
  readonly action: "keep" | "expire" | "held";
  readonly why: readonly string[];
  /** True when its media file is removed. */
  readonly released: boolean;
}

/** Plans an expiry of all backups of a vault. The items are in the order of publication. */
export function planExpiry(
  facts: readonly ExpiryFact[],
  config: RetentionConfig,
): ExpiryItem[] {
  const reasons = new Map<ExpiryFact, readonly string[]>();
  for (const line of groupBy(facts.filter(({ expired }) => !expired), ({ source }) => source)) {
    const decided = applyRetention(line, retentionOf(config, line[0]?.client ?? ""));
    for (const fact of line) reasons.set(fact, decided.get(fact.backup) ?? []);
  }
  const isKept = (fact: ExpiryFact) => (reasons.get(fact)?.length ?? 0) > 0;
  const needs = new Map<ExpiryFact, ExpiryFact>();
  for (const generation of groupBy(facts, (fact) => fact.generation)) {
    for (const [fact, by] of neededMedia(generation, isKept)) needs.set(fact, by);
  }
  return [...facts].sort((a, b) => a.number - b.number).map((fact): ExpiryItem => {
    if (isKept(fact)) {
      return { fact, action: "keep", why: reasons.get(fact) ?? [], released: false };
    }
    const by = needs.get(fact);
    const first = fact.expired ? "expired before" : "no rule keeps it";
    return {
      fact,
      action: fact.expired ? "held" : "expire",
      why: by === undefined ? [first] : [first, `data needed by ${by.backup}`],
      released: by === undefined,
    };
  });
}

function retentionOf(config: RetentionConfig, client: string): Retention | null {
  const own = config.clients.find((one) => one.client === client);
  return own === undefined ? config.general : own.retention;
}

/** The backups of a generation whose media files stay, each with the first kept one it is for. */
function neededMedia(
  generation: readonly ExpiryFact[],
  isKept: (fact: ExpiryFact) => boolean,
): Map<ExpiryFact, ExpiryFact> {
  const needed = new Map<ExpiryFact, ExpiryFact>();
  let by: ExpiryFact | null = null;
  for (const fact of [...generation].sort((a, b) => b.number - a.number)) {
    if (isKept(fact)) by = fact;
    if (by !== null) needed.set(fact, by);
  }
  return needed;
}

function groupBy<T>(items: readonly T[], key: (item: T) => number): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
