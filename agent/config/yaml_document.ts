// YAML text with positions: the one file that knows the YAML library.
//
// Pure. The text is data: no tags beyond the core schema, no merging, duplicate keys and alias
// bombs are errors. `locate` maps a key path of a schema error back to its line and column.

import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { type ConfigProblem, type KeyPath, keyText } from "./config_problem.ts";

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface YamlDocument {
  /** The plain value; undefined when `problems` is not empty. */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /**
   * Where `path` stands: its key (`at: "key"`) or its value, else the nearest parent that exists.
   */
  locate(path: KeyPath, at: "key" | "value"): Position;
}

/** Parses one YAML document. Syntax errors are problems, never exceptions. */
export function parseYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const problems = document.errors.map((error) => ({
    ...position(error.pos[0]),
    key: "",
    message: error.code === "DUPLICATE_KEY"
      ? "the same key stands twice in one map, need each key once"
      : `no valid YAML: ${error.message}`,
    hint: error.code === "DUPLICATE_KEY" ? "Remove one of the two." : null,
  }));
  const locate = (path: KeyPath, at: "key" | "value"): Position =>
    position(findOffset(document.contents, path, at));
  let value: unknown;
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // Unresolved aliases and alias bombs show only here.
      const message = error instanceof Error ? error.message : String(error);
      problems.push({
        line: 1,
        column: 1,
        key: keyText([]),
        message: `no valid YAML: ${message}`,
        hint: null,
      });
    }
  }
  return { value, problems, locate };
}

/** Offset of the deepest part of `path` that exists. */
function findOffset(contents: Node | null, path: KeyPath, at: "key" | "value"): number {
  let node: unknown = contents;
  let offset = startOf(contents) ?? 0;
  for (const [index, part] of path.entries()) {
    const last = index === path.length - 1;
    const found = childOf(node, part);
    if (found === null) return offset;
    const place = last && at === "key" ? found.key ?? found.value : found.value ?? found.key;
    offset = startOf(place) ?? startOf(found.key) ?? offset;
    node = found.value;
  }
  return offset;
}

function childOf(node: unknown, part: string | number): { key: unknown; value: unknown } | null {
  if (isMap(node)) {
    const pair = node.items.find((item) =>
      isScalar(item.key) ? String(item.key.value) === String(part) : false
    );
    return pair === undefined ? null : { key: pair.key, value: pair.value };
  }
  const items = sequenceItems(node);
  const item = items === null ? undefined : items[Number(part)];
  return item === undefined ? null : { key: item, value: item };
}

function sequenceItems(node: unknown): readonly unknown[] | null {
  if (typeof node !== "object" || node === null || isMap(node)) return null;
  return "items" in node && Array.isArray(node.items) ? node.items : null;
}

function startOf(node: unknown): number | null {
  if (typeof node !== "object" || node === null || !("range" in node)) return null;
  const range = node.range;
  return Array.isArray(range) && typeof range[0] === "number" ? range[0] : null;
}
