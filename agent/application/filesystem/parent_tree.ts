// The parent of an incremental backup as its client sees it: groups of rows, read in the order of
// the walk from chunks that arrive one by one.
//
// Invariants: a group is asked for in the order of the walk; groups that the walk does not ask for
// (their directories are gone) are passed over; memory is the groups of the directories that the
// walk is inside of, as encoded bytes.

import { AgentError } from "../../../transport/ground/error.ts";
import { compareWalkOrder } from "../../walk_order.ts";
import { ByteReader } from "../../media/byte_cursor.ts";
import type { NameList } from "./name_list.ts";
import {
  decodeFields,
  decodeParentItem,
  type ParentItem,
  type ParentRow,
  skipParentItem,
} from "./parent_rows.ts";

/** Where the chunks come from. */
export interface ParentFeed {
  /** The next chunk; null while it is on its way, "end" after the last. */
  take(): Uint8Array | null | "end";
}

const NAME = "rows of the parent";

export class ParentTree {
  readonly #feed: ParentFeed;
  #chunk = new Uint8Array(0);
  #reader = new ByteReader(new Uint8Array(0), NAME);
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
    return new ParentGroup(segments);
  }

  /** Passes over the rows up to the next group; into `segments` when they are wanted. */
  *#rows(segments: Uint8Array[] | null): Generator<null, void, void> {
    const before = this.#head;
    this.#head = null;
    while (yield* this.#fill()) {
      const start = this.#chunk.length - this.#reader.left;
      let end = start;
      let next: Uint8Array | null = null;
      while (this.#reader.left > 0 && next === null) {
        next = skipParentItem(this.#reader);
        if (next === null) end = this.#chunk.length - this.#reader.left;
      }
      if (end > start && before === null) throw this.#reader.damaged("rows without a directory");
      if (end > start) segments?.push(this.#chunk.slice(start, end));
      if (next === null) continue;
      if (before !== null && compareWalkOrder(before, next) >= 0) {
        throw this.#reader.damaged("a directory out of order, need the order of the walk");
      }
      this.#head = next.slice();
      return;
    }
  }

  /** @returns false after the last chunk */
  *#fill(): Generator<null, boolean, void> {
    while (this.#reader.left === 0 && !this.#ended) {
      const chunk = this.#feed.take();
      if (chunk === null) yield null;
      else if (chunk === "end") this.#ended = true;
      else {
        this.#chunk = chunk.slice();
        this.#reader = new ByteReader(this.#chunk, NAME);
      }
    }
    return !this.#ended;
  }
}

/** The rows of one directory, by name. */
export class ParentGroup {
  readonly #segments: readonly Uint8Array[];
  readonly #items: Iterator<Extract<ParentItem, { kind: "row" }>>;
  #next: IteratorResult<Extract<ParentItem, { kind: "row" }>>;

  constructor(segments: readonly Uint8Array[]) {
    this.#segments = segments;
    this.#items = this.#read();
    this.#next = this.#items.next();
  }

  /** True when every row's name is in the list. */
  isWithin(names: NameList): boolean {
    let at = 0;
    for (const { name } of this.#read()) {
      let order = -1;
      while (order < 0) {
        order = at < names.length ? names.compareAt(at, name) : 1;
        if (order <= 0) at++;
      }
      if (order > 0) return false;
    }
    return true;
  }

  /** The name of the next row when it comes before `name`, and goes on to the one after it. */
  takeBefore(name: Uint8Array | null): Uint8Array | null {
    if (this.#next.done === true) return null;
    const { name: found } = this.#next.value;
    if (name !== null && this.#order(found, name) >= 0) return null;
    this.#next = this.#items.next();
    return found;
  }

  /** The row of `name`, and goes on to the one after it. @throws AgentError `damaged` */
  take(name: Uint8Array): ParentRow | null {
    if (this.#next.done === true || this.#order(this.#next.value.name, name) !== 0) return null;
    const row = decodeFields(this.#next.value);
    this.#next = this.#items.next();
    return row;
  }

  /** Names have no "/", and the source's paths are in the order of the walk. */
  #order(a: Uint8Array, b: Uint8Array): number {
    return compareWalkOrder(a, b);
  }

  *#read(): Generator<Extract<ParentItem, { kind: "row" }>> {
    let last: Uint8Array | null = null;
    for (const segment of this.#segments) {
      const reader = new ByteReader(segment, NAME);
      while (reader.left > 0) {
        const item = decodeParentItem(reader);
        if (item.kind !== "row") throw reader.damaged("a directory inside a group");
        if (last !== null && this.#order(last, item.name) >= 0) {
          throw new AgentError("damaged", "Cannot go on: found rows of the parent out of order");
        }
        last = item.name;
        yield item;
      }
    }
  }
}
