// Reads the parts of a configuration one by one through their schemas and collects all problems.
//
// Each part is parsed on its own, so that a broken one does not hide the problems of the others,
// and the checks between parts run over whatever is good. Invariant: `read` gives undefined only
// after it recorded a problem.

import type { z } from "zod";
import { type ConfigProblem, type KeyPath, keyText, sortProblems } from "./config_problem.ts";
import { describeIssue, showValue, unknownKeyText } from "./issue_text.ts";
import type { YamlDocument } from "./yaml_document.ts";

export class SectionReader {
  readonly #document: YamlDocument;
  readonly #problems: ConfigProblem[] = [];

  constructor(document: YamlDocument) {
    this.#document = document;
    this.#problems.push(...document.problems);
  }

  /** All problems so far, in the order of the file. */
  get problems(): readonly ConfigProblem[] {
    return sortProblems(this.#problems);
  }

  /** True when `key` stands at the top, whatever its value. */
  has(key: string): boolean {
    return isRecord(this.#document.value) && Object.hasOwn(this.#document.value, key);
  }

  /** The value at `path` through `schema`, or undefined after its problems were recorded. */
  read<T>(path: KeyPath, schema: z.ZodType<T>): T | undefined {
    const parsed = schema.safeParse(this.#valueAt(path));
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      const inner = issue.path.map((part) => typeof part === "symbol" ? String(part) : part);
      const full = [...path, ...inner];
      for (const text of describeIssue(issue, this.#valueAt(full))) {
        if (text.unknownKey === null) this.refuse(full, text.message, text.hint);
        else this.refuse([...full, text.unknownKey], text.message, text.hint, "key");
      }
    }
    return undefined;
  }

  /** Each item of the list at `path`; a missing list is empty. Broken items are left out. */
  readList<T>(path: KeyPath, schema: z.ZodType<T>, maxCount: number): ReadParts<T> {
    const value = this.#valueAt(path);
    if (value === undefined) return { parts: [], whole: true };
    if (!Array.isArray(value)) return this.#noContainer(path, value, "a list");
    return this.#readEach(path, [...value.keys()], schema, maxCount);
  }

  /** Each value of the map at `path`; a missing map is empty. Broken values are left out. */
  readMap<T>(path: KeyPath, schema: z.ZodType<T>, maxCount: number): ReadParts<T> {
    const value = this.#valueAt(path);
    if (value === undefined) return { parts: [], whole: true };
    if (!isRecord(value)) return this.#noContainer(path, value, "a map of names");
    return this.#readEach(path, Object.keys(value), schema, maxCount);
  }

  /** Records every key of the map at the top that is not in `known`. */
  refuseUnknownKeys(known: readonly string[]): void {
    const value = this.#document.value;
    if (!isRecord(value)) return;
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const { message, hint } = unknownKeyText(key, known);
      this.refuse([key], message, hint, "key");
    }
  }

  /** Records a problem at `path`. */
  refuse(path: KeyPath, message: string, hint: string | null, at?: "key" | "value"): void {
    const position = this.#document.locate(path, at ?? "value");
    this.#problems.push({ ...position, key: keyText(path), message, hint });
  }

  #readEach<T>(
    path: KeyPath,
    keys: readonly (string | number)[],
    schema: z.ZodType<T>,
    maxCount: number,
  ): ReadParts<T> {
    if (keys.length > maxCount) {
      this.refuse(path, `found ${keys.length} items, need at most ${maxCount}`, null);
      return { parts: [], whole: false };
    }
    const parts: ReadPart<T>[] = [];
    for (const key of keys) {
      const value = this.read([...path, key], schema);
      if (value !== undefined) parts.push({ key: String(key), path: [...path, key], value });
    }
    return { parts, whole: parts.length === keys.length };
  }

  #noContainer<T>(path: KeyPath, value: unknown, wanted: string): ReadParts<T> {
    this.refuse(path, `found ${showValue(value)}, need ${wanted}`, null);
    return { parts: [], whole: false };
  }

  #valueAt(path: KeyPath): unknown {
    let value: unknown = this.#document.value;
    for (const part of path) {
      if (Array.isArray(value) && typeof part === "number") value = value[part];
      else if (isRecord(value) && Object.hasOwn(value, part)) value = value[String(part)];
      else return undefined;
    }
    return value;
  }
}

export interface ReadPart<T> {
  readonly key: string;
  readonly path: KeyPath;
  readonly value: T;
}

export interface ReadParts<T> {
  readonly parts: readonly ReadPart<T>[];
  /** False when something was left out: then absence proves nothing. */
  readonly whole: boolean;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
