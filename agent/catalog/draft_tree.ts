// The tree that a cut backup would present if it were published as far as it came: what its parent
// sees, and over it the rows and notes of the cut media file. The next backup of the source goes
// on from there. It lies in a temporary file of SQLite's own, which is gone when it is closed.
//
// What the cut may have left undone is unsettled, so that it is stored again:
//  - the directories that the walk was inside of: what was stored in them changes their times on
//    restore, and their own member, which comes after that, is not there;
//  - names of a hard link whose first name was stored again after them.

import type { IndexNote, IndexPage } from "../entry.ts";
import { Catalog } from "./catalog.ts";
import type { SourceName } from "./backup_row.ts";
import type { CatalogRow } from "./catalog.ts";
import { splitPath } from "./entry_row.ts";
import { sourceId } from "./import_media.ts";
import { DRAFT_STEP_ROWS } from "./limits.ts";
import type { Seen } from "./listing.ts";
import { RowImport } from "./row_import.ts";
import { inTransaction, openDatabase } from "./schema.ts";
import { catalogError } from "./sqlite_error.ts";

/** Numbers in the draft: what is of the parent, and what is of the cut backup. */
const PARENT = 1;
const CUT = 2;

/** Everything lies at or below it. */
const ROOT = new TextEncoder().encode("/");

/** SQLite's name for a database in a temporary file. */
const TEMPORARY = "";

export interface DraftParts {
  readonly source: SourceName;
  /** What the parent sees; nothing for a full backup. */
  readonly before: Iterable<CatalogRow>;
  readonly pages: Iterable<IndexPage>;
  /** Path of the last member of the cut media file. */
  readonly lastPath: Uint8Array;
}

export class DraftTree implements Disposable {
  readonly #database = openDatabase(TEMPORARY);
  readonly catalog = Catalog.over(this.#database);
  #source = 0;

  /**
   * Makes the tree; yields now and then to let others run.
   * @throws AgentError `no_space` | `damaged` | `failed`
   */
  static *make(parts: DraftParts): Generator<void, DraftTree> {
    const draft = new DraftTree();
    try {
      yield* draft.#fill(parts);
      return draft;
    } catch (error) {
      draft[Symbol.dispose]();
      throw error;
    }
  }

  /** What the catalog's queries take for the backup. */
  get seen(): Seen {
    return { source: this.#source, generation: PARENT, number: CUT };
  }

  /** Is the member of a row in the cut media file? */
  isKept(row: Pick<CatalogRow, "media">): boolean {
    return row.media === CUT;
  }

  [Symbol.dispose](): void {
    this.catalog.close();
  }

  *#fill(parts: DraftParts): Generator<void> {
    const source = this.#write(() => sourceId(this.#database, parts.source));
    this.#source = source;
    const place = { source, generation: PARENT } as const;
    const before = new RowImport(this.#database, { ...place, number: PARENT, continued: false });
    const cut = new RowImport(this.#database, { ...place, number: CUT, continued: true });
    const note = (one: IndexNote) => {
      cut.note(one);
      if (one.kind === "unsettled") before.note(one);
    };
    yield* this.#inSteps(parts.before, (row) => {
      before.row(row);
      if (row.unsettled) before.note({ kind: "unsettled", path: row.entry.path });
    });
    yield* this.#inSteps(parts.pages, ({ rows, notes }) => {
      for (const row of rows) cut.row(row);
      for (const one of notes) note(one);
    });
    const undone = [...ancestorsOf(parts.lastPath), ...this.#staleLinks()];
    yield* this.#inSteps(undone, (path) => note({ kind: "unsettled", path }));
  }

  *#staleLinks(): Generator<Uint8Array> {
    for (const link of this.catalog.hardLinks(this.seen, ROOT)) {
      const { entry: { path, target } } = link;
      const first = target === null ? null : this.catalog.row(this.seen, target);
      if (first === null || !this.isKept(first)) continue;
      if (!this.isKept(link) || link.tarOffset < first.tarOffset) yield path;
    }
  }

  *#inSteps<T>(items: Iterable<T>, body: (item: T) => void): Generator<void> {
    const iterator = items[Symbol.iterator]();
    for (let more = true; more;) {
      this.#write(() => {
        for (let count = 0; more && count < DRAFT_STEP_ROWS; count++) {
          const next = iterator.next();
          if (next.done === true) more = false;
          else body(next.value);
        }
      });
      yield;
    }
  }

  #write<T>(body: () => T): T {
    try {
      return inTransaction(this.#database, body);
    } catch (error) {
      throw catalogError(error, "make the tree of a cut backup");
    }
  }
}

/** The directories above a path, the nearest first. */
export function* ancestorsOf(path: Uint8Array): Generator<Uint8Array> {
  for (let { parent } = splitPath(path); parent.length > 0; { parent } = splitPath(parent)) {
    yield parent;
  }
}
