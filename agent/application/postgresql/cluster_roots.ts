// The directories of a cluster that is being restored: where each was on the origin, and where it
// is here.
//
// Invariants: the first one is the data directory; each other one is a tablespace, which its opener
// may refuse, and which has directories of server versions ("PG_15_202209061") and nothing else.
// One inside another directory of the cluster moves with it unless it has a place of its own.

import type { TargetTree } from "../filesystem/target_tree.ts";

/** What a server makes in the location of a tablespace: "PG_", its version and its catalog's. */
const VERSION_DIRECTORY = "PG_";

export interface Root {
  /** Full path on the origin. */
  readonly from: string;
  /** Full path here. */
  readonly place: string;
  readonly tree: TargetTree;
}

export interface Located {
  readonly root: Root;
  /** Below the root; "" is the root. */
  readonly path: string;
}

export interface ClusterRootsOptions {
  /** The data directory here. */
  readonly data: Omit<Root, "from">;
  /** New places of tablespaces, by the old ones. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** Opens the place of a tablespace. @throws AgentError */
  readonly open: (place: string) => TargetTree;
}

export class ClusterRoots {
  readonly #options: ClusterRootsOptions;
  readonly #roots: Root[] = [];

  constructor(options: ClusterRootsOptions) {
    this.#options = options;
  }

  get all(): readonly Root[] {
    return this.#roots;
  }

  /**
   * The root that a member lies in; a directory outside of them is a tablespace.
   * @returns null for what no cluster has
   * @throws AgentError what `open` throws
   */
  locate(path: string, type: string): Located | null {
    const isDirectory = type === "directory";
    const root = this.#around(path);
    if (root === null) return isDirectory ? this.#add(path) : null;
    const below = path.slice(root.from.length + 1);
    if (below !== "" && isDirectory && this.#options.tablespaces.has(path)) return this.#add(path);
    const isIn = below === "" || root === this.#roots[0] ||
      (below.startsWith(VERSION_DIRECTORY) && (isDirectory || below.includes("/")));
    if (isIn) return { root, path: below };
    return isDirectory ? this.#add(path) : null;
  }

  /** Where a directory of the origin is here. */
  placeOf(location: string): string {
    const named = this.#options.tablespaces.get(location);
    if (named !== undefined) return named;
    const root = this.#around(location);
    return root === null ? location : root.place + location.slice(root.from.length);
  }

  /** The innermost root that has it. */
  #around(path: string): Root | null {
    const inside = this.#roots.filter(({ from }) => path === from || path.startsWith(`${from}/`));
    return inside.sort((a, b) => b.from.length - a.from.length)[0] ?? null;
  }

  #add(path: string): Located {
    const root = this.#roots.length === 0 ? this.#options.data : this.#tablespace(path);
    const made = { ...root, from: path };
    this.#roots.push(made);
    return { root: made, path: "" };
  }

  #tablespace(path: string): Omit<Root, "from"> {
    const place = this.placeOf(path);
    return { place, tree: this.#options.open(place) };
  }
}
