// Finds functions and how many lines each has, by matching brackets in source whose comments and
// strings are blanked. A function is a parameter list followed by a body: `name(…): Type {` or
// `=> {`; what stands before the list tells functions from `if`, `for`, `switch`.

import { lineOf, type SourceText } from "./source_text.ts";

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const OPEN = "([{";
const CLOSE = ")]}";
const CONTROL = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);

/** Offset of each opening bracket's partner; unbalanced ones are missing. */
function matchBrackets(code: string): Map<number, number> {
  const partner = new Map<number, number>();
  const stack: number[] = [];
  for (let at = 0; at < code.length; at += 1) {
    const char = code.charAt(at);
    if (OPEN.includes(char)) stack.push(at);
    else if (CLOSE.includes(char)) {
      const start = stack.pop();
      if (start !== undefined) partner.set(start, at);
    }
  }
  return partner;
}

/** From behind a parameter list to the "{" of the body; null when there is none. */
function findBody(code: string, after: number, partner: Map<number, number>): number | null {
  // A "{" is a type where a type must come (after ":" and operators), else it is the body.
  let typeExpected = false;
  let angles = 0;
  for (let at = after; at < code.length; at += 1) {
    const char = code.charAt(at);
    if (/\s/.test(char)) continue;
    if (char === "{" && !typeExpected) return at;
    if (code.startsWith("=>", at)) {
      at += 1;
      typeExpected = false;
      const body = /^\s*\{/.exec(code.slice(at + 1, at + 200));
      return body === null ? null : at + body[0].length;
    }
    if (OPEN.includes(char)) {
      const end = partner.get(at);
      if (end === undefined) return null;
      at = end;
      typeExpected = false;
    } else if (":|&".includes(char)) {
      if (char === ":" && at !== after + code.slice(after).search(/\S/)) return null;
      typeExpected = true;
    } else if (char === "<" || (char === "," && angles > 0)) {
      if (char === "<") angles += 1;
      typeExpected = true;
    } else if (/[\w$.>?]/.test(char)) {
      if (char === ">") angles -= 1;
      typeExpected = false;
    } else return null;
  }
  return null;
}

/** Every function with a body in braces, outer ones before inner ones. */
export function functionSpans(source: SourceText): FunctionSpan[] {
  const { code } = source;
  const partner = matchBrackets(code);
  const spans: FunctionSpan[] = [];
  for (let at = code.indexOf("("); at >= 0; at = code.indexOf("(", at + 1)) {
    const close = partner.get(at);
    if (close === undefined) continue;
    const head = code.slice(Math.max(0, at - 200), at).replace(/\basync\s*$/, "");
    const name = /([#\w$]+)\s*(?:<[^()]*>)?\s*$/.exec(head)?.[1] ?? callerOf(head);
    if (CONTROL.has(name)) continue;
    const body = findBody(code, close + 1, partner);
    const end = body === null ? undefined : partner.get(body);
    if (end === undefined) continue;
    const line = lineOf(code, at);
    spans.push({ name, line, lines: lineOf(code, end) - line + 1 });
  }
  return spans;
}

/** Names an anonymous function after the call it is an argument of, or the name it is given to. */
function callerOf(head: string): string {
  const text = head.trimEnd();
  const assigned = /([#\w$]+)\s*[=:]\s*$/.exec(text)?.[1];
  if (assigned !== undefined) return assigned;
  return /([#\w$]+)\s*\((?:[^()]|\([^()]*\))*,?\s*$/.exec(text)?.[1] ?? "(anonymous)";
}
