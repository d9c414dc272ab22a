// Arguments → a command's values: the one file that knows the argument parser (node:util).
//
// Pure. Unknown options, missing values, repetitions and too many arguments are errors of code
// `usage`, with the nearest known name as the hint.

import { parseArgs } from "node:util";
import { AgentError } from "../../transport/ground/error.ts";
import { assert } from "../../transport/ground/assert.ts";
import { closestName } from "../config/closest_name.ts";
import { parseSize } from "../config/quantity.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";

/** Options that every command has. */
export const HELP_OPTION: OptionSpec = { name: "help", value: null, help: "Show this help" };

/** The values of one command line, by the names in the command's table. */
export class ParsedArguments {
  readonly #options: ReadonlyMap<string, readonly string[]>;
  readonly #arguments: ReadonlyMap<string, readonly string[]>;

  constructor(
    options: ReadonlyMap<string, readonly string[]>,
    positionals: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#options = options;
    this.#arguments = positionals;
  }

  flag(name: string): boolean {
    return this.#options.has(name);
  }

  value(name: string): string | null {
    return this.#options.get(name)?.[0] ?? null;
  }

  /** A required option: parsing refused its absence. */
  required(name: string): string {
    const value = this.value(name);
    assert(value !== null, `option ${name} is required in the command's table`);
    return value;
  }

  values(name: string): readonly string[] {
    return this.#options.get(name) ?? [];
  }

  /** A size option in bytes. @throws AgentError `usage` */
  size(name: string): number | null {
    const text = this.value(name);
    if (text === null) return null;
    const bytes = parseSize(text);
    if (bytes !== null && bytes > 0) return bytes;
    throw usage(`option --${name}`, `"${text}"`, "a size such as 64MiB");
  }

  /** A whole number option within `1..max`. @throws AgentError `usage` */
  count(name: string, max: number): number | null {
    const text = this.value(name);
    if (text === null) return null;
    const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (count >= 1 && count <= max) return count;
    throw usage(`option --${name}`, `"${text}"`, `a whole number from 1 to ${max}`);
  }

  /** A required option: parsing refused its absence. */
  requiredValue(name: string): string {
    const value = this.value(name);
    assert(value !== null, `option --${name} is required in the command's table`);
    return value;
  }

  argument(name: string): string | null {
    return this.#arguments.get(name)?.[0] ?? null;
  }

  /** A required argument: parsing refused its absence. */
  requiredArgument(name: string): string {
    const value = this.argument(name);
    assert(value !== null, `argument ${name} is required in the command's table`);
    return value;
  }

  argumentList(name: string): readonly string[] {
    return this.#arguments.get(name) ?? [];
  }
}

/** Parses what follows the command's words. @throws AgentError `usage` */
export function parseCommand(spec: CommandSpec, args: readonly string[]): ParsedArguments {
  const known = [...spec.options, HELP_OPTION];
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(known.map((option) => [
      option.name,
      { type: option.value === null ? "boolean" : "string", multiple: true } as const,
    ])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = known.find((one) => one.name === token.name && token.rawName.startsWith("--"));
    if (option === undefined) throw unknownOption(spec, token.rawName, known);
    const value = optionValue(option, token.value, token.inlineValue === true);
    const earlier = options.get(option.name) ?? [];
    if (earlier.length > 0 && option.many !== true && option.value !== null) {
      throw usage(`option --${option.name}`, "it twice", "it once");
    }
    options.set(option.name, [...earlier, value]);
  }
  // Help is asked for: whatever else is missing does not matter.
  if (options.has("help")) return new ParsedArguments(options, new Map());
  for (const option of spec.options) {
    if (option.required !== true || options.has(option.name)) continue;
    throw usage(
      spec.name === "" ? "the agent" : `command "${spec.name}"`,
      "no such option",
      `--${option.name} ${option.value ?? ""}`.trim(),
      spec,
    );
  }
  return new ParsedArguments(options, assignArguments(spec, positionals));
}

function optionValue(option: OptionSpec, value: string | undefined, inline: boolean): string {
  if (option.value === null) {
    if (inline) throw usage(`option --${option.name}`, `the value "${value}"`, "no value");
    return "";
  }
  if (value === undefined || value === "" || (!inline && value.startsWith("-") && value !== "-")) {
    throw new AgentError(
      "usage",
      `Cannot use option --${option.name}: found no value, need ${option.value}`,
      { hint: `Write --${option.name}=${option.value} when the value starts with a dash.` },
    );
  }
  if (option.choices !== undefined && !option.choices.includes(value)) {
    const near = closestName(value, option.choices);
    throw new AgentError(
      "usage",
      `Cannot use option --${option.name}: found "${value}", need ${option.choices.join(" or ")}`,
      { hint: near === null ? undefined : `Did you mean "${near}"?` },
    );
  }
  return value;
}

function assignArguments(spec: CommandSpec, given: readonly string[]) {
  const assigned = new Map<string, readonly string[]>();
  let next = 0;
  for (const argument of spec.arguments) {
    const values = argument.many === true ? given.slice(next) : given.slice(next, next + 1);
    if (values.length === 0 && argument.required) {
      throw usage(`command "${spec.name}"`, "too few arguments", argument.name, spec);
    }
    if (values.some((value) => value === "")) {
      throw usage(`argument ${argument.name}`, "an empty text", argument.name, spec);
    }
    if (values.length > 0) assigned.set(argument.name, values);
    next += values.length;
  }
  if (next < given.length) {
    throw usage(`command "${spec.name}"`, `one more argument "${given[next]}"`, "none", spec);
  }
  return assigned;
}

function unknownOption(spec: CommandSpec, raw: string, known: readonly OptionSpec[]): AgentError {
  const near = closestName(raw.replace(/^-+/, ""), known.map((option) => option.name));
  const of = spec.name === "" ? "" : ` of "${spec.name}"`;
  return new AgentError("usage", `Cannot use option "${raw}"${of}: it is unknown`, {
    hint: near === null ? `Run: ${programHelp(spec)}` : `Did you mean "--${near}"?`,
  });
}

function usage(thing: string, found: string, wanted: string, spec?: CommandSpec): AgentError {
  return new AgentError("usage", `Cannot use ${thing}: found ${found}, need ${wanted}`, {
    hint: spec === undefined ? undefined : `Run: ${programHelp(spec)}`,
  });
}

function programHelp(spec: CommandSpec): string {
  return spec.name === "" ? "agent --help" : `agent ${spec.name} --help`;
}
