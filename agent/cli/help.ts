// Help texts and the command reference, made from the table of commands. Pure.

import type { Command, CommandSpec, OptionSpec } from "./command.ts";
import { HELP_OPTION } from "./parse_args.ts";

export const EXIT_CODES: readonly (readonly [string, string])[] = [
  ["0", "ok"],
  ["1", "failed, nothing published"],
  ["2", "wrong usage or configuration"],
  ["3", "published but incomplete"],
  ["10", "no such backup, client or job"],
  ["11", "busy"],
  ["12", "authentication failed"],
  ["13", "verify found damage"],
  ["14", "no space"],
  ["15", "daemon or peer not reachable"],
  ["70", "internal error"],
  ["130, 143", "cancelled"],
];

/** `agent backup filesystem --client C [OPTIONS] PATH...` */
function usageLine(spec: CommandSpec): string {
  const words = ["agent", spec.name];
  for (const option of spec.options) {
    if (option.required === true) words.push(optionText(option));
  }
  if (spec.options.some((option) => option.required !== true)) words.push("[OPTIONS]");
  for (const argument of spec.arguments) {
    const text = argument.name + (argument.many === true ? "..." : "");
    words.push(argument.required ? text : `[${text}]`);
  }
  return words.filter((word) => word !== "").join(" ");
}

/** Help of one command. */
export function commandHelp(spec: CommandSpec): string {
  const parts = [`${spec.summary}\n`, `Usage: ${usageLine(spec)}\n`];
  if (spec.details !== undefined) parts.push(`${spec.details}\n`);
  const args = spec.arguments.map((argument) => [argument.name, argument.help] as const);
  if (args.length > 0) parts.push(`Arguments:\n${columns(args)}`);
  const shown = spec.options.filter((option) => option.hidden !== true);
  const options = [...shown, HELP_OPTION].map((option) =>
    [optionText(option), optionHelp(option)] as const
  );
  parts.push(`Options:\n${columns(options)}`);
  parts.push(`Examples:\n${spec.examples.map((example) => `  ${example}\n`).join("")}`);
  return parts.join("\n");
}

/** Help of a first word that several commands share. */
export function groupHelp(word: string, commands: readonly CommandSpec[]): string {
  const rows = commands.map((command) => [command.name, command.summary] as const);
  return [
    `Usage: agent ${word} COMMAND [OPTIONS] [ARGUMENTS]\n`,
    `Commands:\n${columns(rows)}`,
    "Help of a command: agent COMMAND --help\n",
  ].join("\n");
}

/** Help of the program: all commands. */
export function programHelp(root: CommandSpec, commands: readonly CommandSpec[]): string {
  const rows = commands.map((command) => [command.name, command.summary] as const);
  const options = [...root.options, HELP_OPTION].map((option) =>
    [optionText(option), optionHelp(option)] as const
  );
  return [
    "Backs up and restores hosts through the storage they share.\n",
    "Usage: agent --role server|client [--config FILE]\n" +
    "       agent COMMAND [OPTIONS] [ARGUMENTS]\n",
    `Commands:\n${columns(rows)}`,
    `Options:\n${columns(options)}`,
    `Exit codes:\n${columns(EXIT_CODES)}`,
    "Help of a command: agent COMMAND --help\n",
  ].join("\n");
}

/** The reference of all commands in Markdown. */
export function commandReference(root: Command, commands: readonly Command[]): string {
  const sections = [root, ...commands].map((command) => {
    const title = command.name === "" ? "agent --role" : `agent ${command.name}`;
    return `## \`${title}\`\n\n\`\`\`text\n${commandHelp(command)}\`\`\`\n`;
  });
  return `# Commands\n\n${sections.join("\n")}`;
}

function optionText(option: OptionSpec): string {
  return option.value === null ? `--${option.name}` : `--${option.name} ${option.value}`;
}

function optionHelp(option: OptionSpec): string {
  const notes: string[] = [];
  if (option.choices !== undefined) notes.push(option.choices.join(" or "));
  if (option.many === true) notes.push("repeatable");
  if (option.required === true) notes.push("required");
  return notes.length === 0 ? option.help : `${option.help} (${notes.join(", ")})`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join("");
}
