// Finds the imports of a TypeScript file, with what each is for: a type-only import is erased, so
// it makes no cycle, but it is an arrow between rooms all the same.

import { lineOf, type SourceText } from "./source_text.ts";

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** Loaded when it is asked for, not with the file. */
  readonly dynamic: boolean;
  readonly line: number;
}

const NAMED = /\{[^}]*\}/.source;
const CLAUSE =
  `(?:\\*(?:\\s+as\\s+\\w+)?|${NAMED}|[\\w$]+(?:\\s*,\\s*(?:${NAMED}|\\*\\s+as\\s+\\w+))?)`;
const STATIC = `\\b(?:import|export)\\s*(type\\s)?\\s*(${CLAUSE})\\s*from\\s*["']([^"'\\n]+)["']`;
const BARE = /\bimport\s*["']([^"'\n]+)["']/g;
const DYNAMIC = /\bimport\s*\(\s*["']([^"'\n]+)["']/g;

/** True for `{ type A, type B }`: nothing of it is left at run time. */
function onlyTypes(clause: string): boolean {
  if (!clause.startsWith("{")) return false;
  const names = clause.slice(1, -1).split(",").map((name) => name.trim()).filter(Boolean);
  return names.length > 0 && names.every((name) => name.startsWith("type "));
}

/** All imports and re-exports, in no particular order. */
export function scanImports(source: SourceText): Import[] {
  const imports: Import[] = [];
  const add = (match: RegExpMatchArray, found: Omit<Import, "line">): void => {
    const offset = match.index ?? 0;
    // The keyword must be code: an import that stands in a string is text.
    if (!/^(?:import|export)/.test(source.code.slice(offset, offset + 6))) return;
    imports.push({ ...found, line: lineOf(source.raw, offset) });
  };
  for (const match of source.uncommented.matchAll(new RegExp(STATIC, "g"))) {
    const typeOnly = match[1] !== undefined || onlyTypes(match[2] ?? "");
    add(match, { specifier: match[3] ?? "", typeOnly, dynamic: false });
  }
  for (const match of source.uncommented.matchAll(BARE)) {
    add(match, { specifier: match[1] ?? "", typeOnly: false, dynamic: false });
  }
  for (const match of source.uncommented.matchAll(DYNAMIC)) {
    add(match, { specifier: match[1] ?? "", typeOnly: false, dynamic: true });
  }
  return imports;
}

/** Path of a relative specifier within the tree; null for packages. */
export function resolveImport(from: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
