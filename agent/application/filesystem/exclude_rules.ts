// What a backup leaves out, by rules as .gitignore has them:
//
//   name       leaves out what has this name, at any depth below the rule's directory
//   a/b, /a    with a "/" at its start or in its middle: this path from the rule's directory on
//   name/      a directory only (a link to one is none)
//   **         as a whole component: any number of directories, also none; at the end all inside
//   !rule      takes in again what an earlier rule left out
//
// Within a name there are `*`, `?`, `[…]` and `\` (name_pattern.ts). Of the rules that match, the
// last one decides. What is in a directory that is left out is not looked at, so nothing in it
// can be taken in again. The rule's directory is "/" for the rules of a job. Pure.

import { type Characters, charactersOf, NamePattern, PatternProblem } from "./name_pattern.ts";

const NUL = 0;
const SLASH = 0x2f;
const STAR = 0x2a;
const BANG = 0x21;
const HASH = 0x23;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

/** One component, or any number of directories. */
type Part = NamePattern | "directories";

interface Rule {
  readonly negated: boolean;
  readonly directoryOnly: boolean;
  /** Matches the name, in whatever directory, or the path from the rule's directory on. */
  readonly pattern: NamePattern | readonly Part[];
}

/** What the rules say of an entry; null when none of them matches. */
export type Decision = "exclude" | "include" | null;

export interface RuleSubject {
  /** Components of the full path. */
  readonly path: readonly Characters[];
  /** How many of them lead to the rules' directory. */
  readonly from: number;
  readonly isDirectory: boolean;
}

/** A rule that cannot be, and why. */
export interface BadRule {
  readonly rule: string;
  readonly found: string;
}

export class ExcludeRules {
  /** Those that decide nothing. */
  readonly bad: readonly BadRule[];
  /** The last one first. */
  readonly #rules: readonly Rule[];

  /** @param rules each without its end of line */
  constructor(rules: readonly Uint8Array[]) {
    const good: Rule[] = [];
    const bad: BadRule[] = [];
    for (const rule of rules) {
      try {
        good.push(parseRule(charactersOf(rule)));
      } catch (error) {
        if (!(error instanceof PatternProblem)) throw error;
        bad.push({ rule: new TextDecoder().decode(rule), found: error.message });
      }
    }
    this.#rules = good.reverse();
    this.bad = bad;
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  decide(subject: RuleSubject): Decision {
    const last = this.#rules.find((rule) => isMatch(rule, subject));
    return last === undefined ? null : last.negated ? "include" : "exclude";
  }
}

/**
 * The rules of a file, one a line: without empty lines, those that begin with "#", and spaces at
 * the end that no "\" keeps.
 */
export function ruleLines(file: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < file.length;) {
    const newline = file.indexOf(NEWLINE, start);
    const end = newline < 0 ? file.length : newline;
    const line = withoutSpaces(file.subarray(start, end));
    if (line.length > 0 && line[0] !== HASH) lines.push(line);
    start = end + 1;
  }
  return lines;
}

function withoutSpaces(line: Uint8Array): Uint8Array {
  let end = line.length;
  while (line[end - 1] === SPACE && !isEscaped(line, end - 1)) end--;
  return line.subarray(0, end);
}

/** True after an odd number of backslashes. */
function isEscaped(line: Uint8Array, at: number): boolean {
  let start = at;
  while (line[start - 1] === BACKSLASH) start--;
  return (at - start) % 2 === 1;
}

/** @throws PatternProblem */
function parseRule(text: Characters): Rule {
  const negated = text[0] === BANG;
  const body = negated ? text.slice(1) : text;
  const components = splitAt(SLASH, body);
  const [first] = components;
  if (first === undefined) throw new PatternProblem("no name");
  if (body.includes(NUL)) throw new PatternProblem("a NUL character");
  const directoryOnly = body.at(-1) === SLASH;
  if (body[0] !== SLASH && components.length === 1) {
    return { negated, directoryOnly, pattern: NamePattern.parse(first) };
  }
  const parts = components.map((component): Part =>
    isStars(component) ? "directories" : NamePattern.parse(component)
  );
  return { negated, directoryOnly, pattern: parts };
}

/** More stars are as good as two, as git has it. */
function isStars(component: Characters): boolean {
  return component.length > 1 && component.every((character) => character === STAR);
}

/** What is between separators, without what is empty. */
function splitAt(separator: number, text: Characters): Characters[] {
  const parts: Characters[] = [];
  for (let start = 0; start < text.length;) {
    const found = text.indexOf(separator, start);
    const end = found < 0 ? text.length : found;
    if (end > start) parts.push(text.slice(start, end));
    start = end + 1;
  }
  return parts;
}

function isMatch({ pattern, directoryOnly }: Rule, subject: RuleSubject): boolean {
  const { path, from, isDirectory } = subject;
  if (directoryOnly && !isDirectory) return false;
  if (pattern instanceof NamePattern) return pattern.matches(path.at(-1) ?? []);
  return isPathMatch(pattern, path, from);
}

/**
 * As the match of a name, one level up: components for characters, `**` for `*`; but `**` at the
 * end is all inside, and not the directory itself.
 */
function isPathMatch(
  parts: readonly Part[],
  path: readonly Characters[],
  from: number,
): boolean {
  let part = 0;
  let at = from;
  let afterStars = -1;
  let starsEnd = 0;
  while (at < path.length) {
    const wanted = parts[part];
    if (wanted === "directories") {
      afterStars = ++part;
      starsEnd = at;
    } else if (wanted !== undefined && wanted.matches(path[at] as Characters)) {
      part++;
      at++;
    } else if (afterStars >= 0) {
      part = afterStars;
      at = ++starsEnd;
    } else return false;
  }
  return part === parts.length;
}
