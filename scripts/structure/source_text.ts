// TypeScript source with its comments and strings blanked out, so that simple patterns can be
// trusted: a name inside a comment or a string is not a use of it.
//
// Invariants:
//  1. Every text has the length of the source, and line breaks stay where they are: an offset in
//     one is the same place in all.
//  2. It is a lexer, not a parser: a "/" starts a regular expression where a value may start.

export interface SourceText {
  readonly raw: string;
  /** Comments, strings, templates and regular expressions are spaces. */
  readonly code: string;
  /** Only comments are spaces. */
  readonly uncommented: string;
}

const VALUE_KEYWORDS = /\b(?:return|typeof|case|in|of|await|yield|void|delete|do|else)$/;

/** Blanks everything but line breaks. */
function spaces(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** End (exclusive) of a quoted string that starts at `start`. */
function stringEnd(raw: string, start: number): number {
  const quote = raw[start];
  let at = start + 1;
  while (at < raw.length && raw[at] !== quote && raw[at] !== "\n") at += raw[at] === "\\" ? 2 : 1;
  return Math.min(at + 1, raw.length);
}

/** End of the text part of a template: after "`" or after "${". */
function templateEnd(raw: string, start: number): number {
  let at = start;
  while (at < raw.length) {
    if (raw[at] === "\\") at += 2;
    else if (raw[at] === "`") return at + 1;
    else if (raw[at] === "$" && raw[at + 1] === "{") return at + 2;
    else at += 1;
  }
  return raw.length;
}

function regexEnd(raw: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  while (at < raw.length && raw[at] !== "\n") {
    if (raw[at] === "\\") at += 1;
    else if (raw[at] === "[") inClass = true;
    else if (raw[at] === "]") inClass = false;
    else if (raw[at] === "/" && !inClass) return at + 1;
    at += 1;
  }
  return at;
}

function startsRegex(before: string): boolean {
  const text = before.trimEnd();
  const last = text.at(-1);
  if (last === undefined || "(,=:[!&|?{};+-*%<>~^".includes(last)) return true;
  return VALUE_KEYWORDS.test(text.slice(-10));
}

/** Finds where the token at `at` ends when it is a comment. */
function commentEnd(raw: string, at: number): number | null {
  if (raw.startsWith("//", at)) {
    const end = raw.indexOf("\n", at);
    return end < 0 ? raw.length : end;
  }
  if (raw.startsWith("/*", at)) {
    const end = raw.indexOf("*/", at + 2);
    return end < 0 ? raw.length : end + 2;
  }
  return null;
}

/** Splits a source into its three views. */
export function readSourceText(raw: string): SourceText {
  let code = "";
  let uncommented = "";
  // One entry per open template: the count of braces open inside its current "${…}".
  const templates: number[] = [];
  let at = 0;
  const take = (end: number, view: { code: boolean; uncommented: boolean }): void => {
    const text = raw.slice(at, end);
    code += view.code ? text : spaces(text);
    uncommented += view.uncommented ? text : spaces(text);
    at = end;
  };
  const literal = { code: false, uncommented: true };
  while (at < raw.length) {
    const char = raw[at];
    const comment = commentEnd(raw, at);
    const depth = templates.at(-1);
    if (comment !== null) take(comment, { code: false, uncommented: false });
    else if (char === '"' || char === "'") take(stringEnd(raw, at), literal);
    else if (char === "`" || (char === "}" && depth === 0)) {
      if (char === "}") templates.pop();
      const end = templateEnd(raw, at + 1);
      if (raw[end - 1] === "{") templates.push(0);
      take(end, literal);
    } else if (char === "/" && startsRegex(code.slice(-40))) take(regexEnd(raw, at), literal);
    else {
      if (depth !== undefined && char === "{") templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && char === "}") templates[templates.length - 1] = depth - 1;
      take(at + 1, { code: true, uncommented: true });
    }
  }
  return { raw, code, uncommented };
}

/** One-based line of an offset. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line += 1;
  }
  return line;
}
