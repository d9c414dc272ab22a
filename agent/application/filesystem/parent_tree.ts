// The parent of an incremental backup as its client sees it: groups of rows, read in the order of
// the walk from chunks that arrive one by one.
//
// Invariants: a group is asked for in the order of the walk; groups that the walk does not ask for
// (their directories are gone) are passed over; memory is the groups of the directories that the
// walk is inside of, as encoded bytes.

import { assert } from "../../../transport/ground/assert.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { compareWalkOrder } from "../../walk_order.ts";
import type { NameList } from "./name_list.ts";
import { ParentItems, type ParentRow, type RowState } from "./parent_rows.ts";

/** Where the chunks come from. */
export interface ParentFeed {
  /** The next chunk; null while it is on its way, "end" after the last. */
  take(): Uint8Array | null | "end";
}

export class ParentTree {
  readonly #feed: ParentFeed;
  #items = new ParentItems(new Uint8Array(0));
  /** Path of the group whose rows come next; null before the first and after the last. */
  #head: Uint8Array | null = null;
  #started = false;
  #ended = false;

  constructor(feed: ParentFeed) {
    this.#feed = feed;
  }

  /**
   * The group of a directory, empty when the parent has none; yields while rows are on their way.
   * @throws AgentError `damaged`
   */
  *group(path: Uint8Array): Generator<null, ParentGroup, void> {
    if (!this.#started) {
      this.#started = true;
      yield* this.#rows(null);
    }
    while (this.#head !== null && compareWalkOrder(this.#head, path) < 0) yield* this.#rows(null);
    const segments: Uint8Array[] = [];
    if (this.#head !== null && compareWalkOrder(this.#head, path) === 0) {
      yield* this.#rows(segments);
    }
    return new ParentGroup(joined(segments));
  }

  /** Passes over the rows up to the next group; into `segments` when they are wanted. */
  *#rows(segments: Uint8Array[] | null): Generator<null, void, void> {
    const before = this.#head;
    this.#head = null;
    while (yield* this.#fill()) {
      const items = this.#items;
      const start = items.end;
      let end = start;
      while (items.next() && !items.isDirectory) end = items.end;
      if (end > start && before === null) throw damaged("rows without a directory");
      if (end > start) segments?.push(items.bytes.slice(start, end));
      if (end === items.bytes.length) continue;
      const next = items.name;
      if (before !== null && compareWalkOrder(before, next) >= 0) {
        throw damaged("a directory out of order, need the order of the walk");
      }
      this.#head = next;
      return;
    }
  }

  /** @returns false after the last chunk */
  *#fill(): Generator<null, boolean, void> {
    while (this.#items.isAtEnd && !this.#ended) {
      const chunk = this.#feed.take();
      if (chunk === null) yield null;
      else if (chunk === "end") this.#ended = true;
      else this.#items = new ParentItems(chunk.slice());
    }
    return !this.#ended;
  }
}

function damaged(found: string): AgentError {
  return new AgentError("damaged", `Cannot go on: found ${found} in the rows of the parent`);
}

/** The rows of one directory, by name. */
export class ParentGroup {
  readonly #bytes: Uint8Array;
  readonly #rows: ParentItems;
  /** Name of the row before the one that is next. */
  #last: Uint8Array | null = null;
  #ended = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#rows = new ParentItems(bytes);
    this.#goOn(null);
  }

  /** True when every row's name is in the list. */
  isWithin(names: NameList): boolean {
    const rows = new ParentItems(this.#bytes);
    let at = 0;
    while (rows.next()) {
      let order = -1;
      while (order < 0) {
        order = at < names.length
          ? names.compareAt(at, rows.bytes, rows.nameStart, rows.nameEnd)
          : 1;
        if (order <= 0) at++;
      }
      if (order > 0) return false;
    }
    return true;
  }

  /**
   * The name of the next row when it comes before `name`, and goes on to the one after it.
   * @throws AgentError `damaged` for rows out of order
   */
  takeBefore(name: Uint8Array | null): Uint8Array | null {
    if (this.#ended || (name !== null && this.#order(name) >= 0)) return null;
    if (this.#last !== null && this.#order(this.#last) <= 0) {
      throw damaged("names out of order");
    }
    const found = this.#rows.name;
    this.#goOn(found);
    return found;
  }

  /** The row of `name`, and goes on to the one after it. @throws AgentError `damaged` */
  take(name: Uint8Array): ParentRow | null {
    if (this.#ended || this.#order(name) !== 0) return null;
    const row = this.#rows.row();
    this.#goOn(name);
    return row;
  }

  /**
   * Goes on to the row after that of `name`, if that is the next one and of this state.
   * @returns false when it is not, and has done nothing
   */
  passSame(name: Uint8Array, state: RowState): boolean {
    if (this.#ended || this.#order(name) !== 0 || !this.#rows.isState(state)) return false;
    this.#goOn(name);
    return true;
  }

  #goOn(last: Uint8Array | null): void {
    this.#last = last;
    this.#ended = !this.#rows.next();
    assert(this.#ended || !this.#rows.isDirectory, "a group has rows only");
  }

  /** Of the next row's name and another; source paths are names, too. */
  #order(name: Uint8Array): number {
    return compareWalkOrder(this.#rows.bytes, name, this.#rows.nameStart, this.#rows.nameEnd);
  }
}

function joined(segments: readonly Uint8Array[]): Uint8Array {
  const [first] = segments;
  if (first !== undefined && segments.length === 1) return first;
  const all = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
  let fill = 0;
  for (const segment of segments) {
    all.set(segment, fill);
    fill += segment.length;
  }
  return all;
}
