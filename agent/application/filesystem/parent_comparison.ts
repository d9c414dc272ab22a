// The walk beside its parent: which row the parent has for each visit, and what the parent has
// that the walk does not find any more.
//
// One open group for each directory that the walk is inside of, and one for the source's paths.
// A row that is passed over is noted as deleted, with all below it, unless its directory has been.

import type { FileStat } from "../../../transport/runtime/files.ts";
import type { IndexNote } from "../../entry.ts";
import type { ParentGroup, ParentTree } from "./parent_tree.ts";
import { type ParentRow, RowState } from "./parent_rows.ts";
import { joinPath } from "./source_paths.ts";
import type { Visit } from "./walk.ts";

interface Level {
  readonly path: Uint8Array;
  readonly group: ParentGroup;
}

const SOURCE = new Uint8Array(0);

/** Null: rows of the parent are on their way. */
type Steps<Result> = Generator<IndexNote | null, Result, void>;

export class ParentComparison {
  readonly #tree: ParentTree;
  readonly #levels: Level[] = [];
  readonly #state = new RowState();

  constructor(tree: ParentTree) {
    this.#tree = tree;
  }

  /** Goes on to a visit. @returns the parent's row of it, null when it is new */
  *visit(visit: Visit): Steps<ParentRow | null> {
    if (this.#levels.length === 0) {
      this.#levels.push({ path: SOURCE, group: yield* this.#tree.group(SOURCE) });
    }
    while (this.#levels.length > visit.depth + 1) yield* this.#leave();
    const level = this.#levels.at(-1);
    if (level === undefined) return null;
    const name = visit.depth === 0
      ? visit.path
      : visit.path.subarray(visit.path.lastIndexOf(0x2f) + 1);
    yield* this.#deleted(level, name);
    return level.group.take(name);
  }

  /**
   * Goes on past a file in the directory that was entered last, when the parent has it as it is.
   * @returns false when it may not, and has done nothing: then it is to be visited
   */
  passSame(depth: number, name: Uint8Array, stat: FileStat): boolean {
    const level = this.#levels.at(-1);
    if (level === undefined || this.#levels.length !== depth + 1) return false;
    return this.#state.set(stat) && level.group.passSame(name, this.#state);
  }

  /** Enters the visited directory. @returns true when names of the parent are taken no more */
  *enter(visit: Visit): Steps<boolean> {
    const group = yield* this.#tree.group(visit.path);
    this.#levels.push({ path: visit.path, group });
    return visit.names !== null && !group.isWithin(visit.names);
  }

  /** After the last visit. */
  *finish(): Steps<void> {
    while (this.#levels.length > 0) yield* this.#leave();
  }

  *#leave(): Steps<void> {
    const level = this.#levels.at(-1);
    if (level !== undefined) yield* this.#deleted(level, null);
    this.#levels.pop();
  }

  *#deleted({ path, group }: Level, before: Uint8Array | null): Steps<void> {
    for (let name = group.takeBefore(before); name !== null; name = group.takeBefore(before)) {
      yield { kind: "deleted", path: path.length === 0 ? name : joinPath(path, name) };
    }
  }
}
