// Which paths a restore wants: include globs on the full path with its leading "/". A glob that
// matches a directory includes its subtree; so whether a path is wanted depends on the path alone
// (it or one of its parents matches), and no list of the tree is needed. A name that is no valid
// UTF-8 matches by its replacement characters (`?` and `*` fit them).

import picomatch from "picomatch";
import { AgentError } from "../../transport/ground/error.ts";
import { MAX_INCLUDES, MAX_SELECTION_CACHE } from "./limits.ts";

interface Glob {
  readonly text: string;
  readonly matches: (path: string) => boolean;
  used: boolean;
}

export class Selection {
  readonly #globs: readonly Glob[];
  readonly #known = new Map<string, boolean>();
  readonly #decoder = new TextDecoder();

  /**
   * @param include globs; none selects everything
   * @throws AgentError `usage` for too many globs
   */
  constructor(include: readonly string[]) {
    if (include.length > MAX_INCLUDES) {
      throw new AgentError(
        "usage",
        `Cannot select: ${include.length} include globs, need ${MAX_INCLUDES} or fewer`,
        { hint: "Include a directory instead of its files." },
      );
    }
    this.#globs = include.map((text) => {
      const glob = text.length > 1 ? text.replace(/\/+$/, "") : text;
      // Flag s: a name may hold a newline. The text itself always matches its own path, so that
      // names with brackets or braces need no quoting.
      const matches = glob === "" ? () => false : picomatch(glob, { dot: true, flags: "s" });
      return { text, matches: (path) => path === glob || matches(path), used: false };
    });
  }

  /** True when nothing is left out. */
  get everything(): boolean {
    return this.#globs.length === 0;
  }

  /** Is the object at this path wanted? */
  has(path: Uint8Array): boolean {
    if (this.everything) return true;
    return this.#matches(this.#decoder.decode(path), false);
  }

  /** Globs that matched nothing of all that was asked so far. */
  unused(): string[] {
    return this.#globs.filter((glob) => !glob.used).map((glob) => glob.text);
  }

  #matches(path: string, remember: boolean): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    let selected = path !== "/" && this.#matches(parentOf(path), true);
    for (const glob of this.#globs) {
      // Globs that have matched before need no look once the answer is known.
      if (selected && glob.used) continue;
      if (glob.matches(path)) {
        glob.used = true;
        selected = true;
      }
    }
    if (remember) {
      if (this.#known.size >= MAX_SELECTION_CACHE) this.#known.clear();
      this.#known.set(path, selected);
    }
    return selected;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
