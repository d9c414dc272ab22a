// What a restore reads: made from catalog rows and include globs, without touching the media.
//
// Hard links: the data of a set lies in the member of its first name. When a selection holds other
// names of the set but not the first, the plan takes the first name's member and redirects it to
// the first selected name, whose own member (which has no data) is left out; further selected
// names link to that one through the same redirect.
//
// Parents of selected objects are not added: they are restored only when they are selected.
// Memory: a plan holds no rows; they are iterated again when it is carried out. Pure over rows.

import { AgentError } from "../../transport/ground/error.ts";
import type { CatalogRow } from "../catalog/mod.ts";
import type { Entry } from "../entry.ts";
import type { Redirect } from "../record.ts";
import { globBase, isWithin } from "./glob_base.ts";
import { MAX_REDIRECTS } from "./limits.ts";
import { Selection } from "./selection.ts";

/** The rows of one backup, or of those at and below a path; each call starts a new iteration. */
export interface RowSource {
  /** Of all rows. */
  totals(): Totals;
  rows(base: Uint8Array): Iterable<CatalogRow>;
  /** Hard links only, by media file and place. */
  hardLinks(base: Uint8Array): Iterable<CatalogRow>;
  /** By media file and place. */
  rowsInTarOrder(base: Uint8Array): Iterable<CatalogRow>;
}

interface Totals {
  /** Entries of every type, as a backup counts them. */
  readonly files: number;
  /** Content bytes. */
  readonly bytes: number;
}

/** A stretch of one media file's tar stream: one member. */
export interface Extent {
  /** Full source path of the entry as it was backed up. */
  readonly path: Uint8Array;
  /** Number of the backup whose media file it is. */
  readonly media: number;
  readonly tarOffset: number;
  readonly tarBytes: number;
}

export interface RestorePlan extends Totals {
  readonly redirects: readonly Redirect[];
  /** The members to send, by media file and place; each call starts over. */
  members(): Iterable<PlannedMember>;
}

/** A member of a restore. */
export interface PlannedMember extends Extent {
  /** The entry as it is restored: redirects are followed, in its path and in a link's target. */
  readonly entry: Entry;
}

/**
 * Plans a restore.
 * @param include globs; none means everything
 * @throws AgentError `failed` when a glob matches nothing, `usage` for too many globs or hard links
 */
export function planRestore(source: RowSource, include: readonly string[]): RestorePlan {
  const selection = new Selection(include);
  const named = globBase(include);
  const redirects = selection.everything
    ? new Redirects()
    : planRedirects(source.hardLinks(named), selection);
  const base = redirects.list().every(({ member }) => isWithin(member, named))
    ? named
    : globBase([]);
  const totals = selection.everything
    ? source.totals()
    : countWanted(source.rows(base), selection, redirects);
  const [unused] = selection.unused();
  if (unused !== undefined) throw noMatch(unused);
  return {
    redirects: redirects.list(),
    ...totals,
    *members() {
      for (const row of source.rowsInTarOrder(base)) {
        if (redirects.replaces(row)) continue;
        if (!selection.has(row.entry.path) && !redirects.sends(row)) continue;
        const { media, tarOffset, tarBytes, entry } = row;
        const extent = { path: entry.path, media, tarOffset, tarBytes };
        yield { ...extent, entry: redirects.written(entry) };
      }
    },
  };
}

function countWanted(
  rows: Iterable<CatalogRow>,
  selection: Selection,
  redirects: Redirects,
): Totals {
  let files = 0;
  let bytes = 0;
  for (const row of rows) {
    const redirected = redirects.sends(row);
    if (!selection.has(row.entry.path) && !redirected) continue;
    if (!redirected) files++;
    if (row.entry.type === "file") bytes += row.entry.sizeBytes;
  }
  return { files, bytes };
}

function planRedirects(hardLinks: Iterable<CatalogRow>, selection: Selection): Redirects {
  const redirects = new Redirects();
  for (const { entry } of hardLinks) {
    if (entry.target === null || !selection.has(entry.path)) continue;
    if (!selection.has(entry.target)) redirects.add({ member: entry.target, writeAs: entry.path });
  }
  return redirects;
}

/** Redirects by the path of the member; the first selected name of a set gets the data. */
class Redirects {
  readonly #byMember = new Map<string, Redirect>();
  readonly #writtenAs = new Set<string>();
  // Windows-1252 as the web defines it maps every byte to its own character: a key without loss.
  readonly #decoder = new TextDecoder("latin1");

  add(redirect: Redirect): void {
    const key = this.#decoder.decode(redirect.member);
    if (this.#byMember.has(key)) return;
    if (this.#byMember.size >= MAX_REDIRECTS) {
      throw new AgentError(
        "usage",
        `Cannot restore: more than ${MAX_REDIRECTS} hard links without their first name`,
        { hint: "Include the directory that holds the first names, or fewer files." },
      );
    }
    this.#byMember.set(key, redirect);
    this.#writtenAs.add(this.#decoder.decode(redirect.writeAs));
  }

  /** Is this row's member sent under another name? */
  sends(row: CatalogRow): boolean {
    return this.#byMember.size > 0 && row.entry.type === "file" &&
      this.#byMember.has(this.#decoder.decode(row.entry.path));
  }

  /** Is this row a link whose name a redirected member is written as? */
  replaces(row: CatalogRow): boolean {
    return this.#writtenAs.size > 0 && row.entry.type === "hardlink" &&
      this.#writtenAs.has(this.#decoder.decode(row.entry.path));
  }

  /** The entry with the names that it is written under. */
  written(entry: Entry): Entry {
    if (this.#byMember.size === 0) return entry;
    const { type, path, target } = entry;
    if (type === "file") return { ...entry, path: this.#nameOf(path) };
    if (type !== "hardlink" || target === null) return entry;
    return { ...entry, target: this.#nameOf(target) };
  }

  list(): Redirect[] {
    return [...this.#byMember.values()];
  }

  #nameOf(member: Uint8Array): Uint8Array {
    return this.#byMember.get(this.#decoder.decode(member))?.writeAs ?? member;
  }
}

function noMatch(glob: string): AgentError {
  const message = `Cannot restore "${glob}": it matches nothing in the backup, need a full path`;
  return new AgentError("failed", message, {
    hint: 'Start the glob with "/" and look up names with `agent ls BACKUP PATH`.',
  });
}
