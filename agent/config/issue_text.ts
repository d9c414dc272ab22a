// Turns what the schema library says about a value into a sentence and a hint for people.
//
// Pure. "found, need wanted" in each message. Objects made by `section` put their known keys into
// the issue, so that an unknown key gets its "did you mean".

import { z } from "zod";
import { closestName } from "./closest_name.ts";

export interface IssueText {
  /** The unknown key, when the problem is one; the issue's own path is its parent. */
  readonly unknownKey: string | null;
  readonly message: string;
  readonly hint: string | null;
}

const KNOWN_KEYS_SEPARATOR = ", ";

/** A strict object whose unknown-key issue lists the known keys as its message. */
export function section<Shape extends z.core.$ZodShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(KNOWN_KEYS_SEPARATOR);
  return z.strictObject(shape, {
    error: (issue) => issue.code === "unrecognized_keys" ? known : undefined,
  });
}

/** A refusal by our own rule, for use inside `transform` and `superRefine`. */
export function refuse(context: z.RefinementCtx, message: string, hint: string): void {
  context.addIssue({ code: "custom", message, params: { hint } });
}

/** The texts of one issue; an issue about several unknown keys gives one each. */
export function describeIssue(issue: z.core.$ZodIssue, found: unknown): readonly IssueText[] {
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split(KNOWN_KEYS_SEPARATOR);
    return issue.keys.map((key) => ({ unknownKey: key, ...unknownKeyText(key, known) }));
  }
  return [{ unknownKey: null, ...plainText(issue, found) }];
}

/** What is said about a key that nobody knows. */
export function unknownKeyText(
  key: string,
  known: readonly string[],
): Omit<IssueText, "unknownKey"> {
  const near = closestName(key, known);
  return {
    message: `unknown key "${key}", need one of ${known.join(KNOWN_KEYS_SEPARATOR)}`,
    hint: near === null ? "Remove the key." : `Did you mean "${near}"?`,
  };
}

function plainText(issue: z.core.$ZodIssue, found: unknown): Omit<IssueText, "unknownKey"> {
  const shown = showValue(found);
  switch (issue.code) {
    case "invalid_type":
      return found === undefined
        ? { message: `missing, need ${typeName(issue.expected)}`, hint: "Add the key." }
        : { message: `found ${shown}, need ${typeName(issue.expected)}`, hint: null };
    case "too_big":
      return {
        message: `found ${shown}, need at most ${limitText(issue.origin, issue.maximum)}`,
        hint: null,
      };
    case "too_small":
      return {
        message: `found ${shown}, need at least ${limitText(issue.origin, issue.minimum)}`,
        hint: null,
      };
    case "invalid_value":
      return choiceText(shown, found, issue.values.map(String));
    case "invalid_union":
      return choiceText(shown, found, unionChoices(issue));
    case "custom":
      return { message: issue.message, hint: hintOf(issue.params) };
    default:
      return { message: `found ${shown}, need another value: ${issue.message}`, hint: null };
  }
}

function choiceText(shown: string, found: unknown, choices: readonly string[]) {
  const near = typeof found === "string" ? closestName(found, choices) : null;
  const seen = found === undefined ? "missing" : `found ${shown}`;
  return {
    message: `${seen}, need ${choices.length > 1 ? "one of " : ""}${choices.join(", ")}`,
    hint: near === null ? null : `Did you mean "${near}"?`,
  };
}

function unionChoices(issue: z.core.$ZodIssueInvalidUnion): readonly string[] {
  if ("options" in issue && Array.isArray(issue.options)) return issue.options.map(String);
  return issue.errors.flat().flatMap((inner) =>
    inner.code === "invalid_value" ? inner.values.map(String) : []
  );
}

function hintOf(params: Record<string, unknown> | undefined): string | null {
  const hint = params?.["hint"];
  return typeof hint === "string" ? hint : null;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of keys",
  record: "a map of keys",
  array: "a list",
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function limitText(origin: string, limit: number | bigint): string {
  if (origin === "string") return `${limit} characters`;
  if (origin === "array") return `${limit} items`;
  return String(limit);
}

/** A value as it may stand in a message: short, on one line. */
export function showValue(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a map of keys";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
