// What the structure check works on and what it says: plain data.

import type { SourceText } from "./source_text.ts";

/** A file of the tree. Paths are relative to the root, with "/" between the parts. */
export interface TreeFile {
  readonly path: string;
  readonly raw: string;
  /** Only of TypeScript files. */
  readonly source: SourceText | null;
}

/** Everything that a rule may look at. */
export interface Tree {
  readonly files: readonly TreeFile[];
  /** Names of package.json; null when the tree has none. */
  readonly packages: { readonly dependencies: ReadonlySet<string> } | null;
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly what: string;
}

export type Rule = (tree: Tree) => Iterable<Finding>;

/** True for the files that ship: everything else (tests, scripts) is free of some rules. */
export function isProduct(path: string): boolean {
  return path === "mod.ts" || path === "main.ts" || /^(?:agent|transport|emulator)\//.test(path);
}
