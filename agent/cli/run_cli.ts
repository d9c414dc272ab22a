// The command line: finds the command, parses, runs it, renders its error, gives the exit code.
//
// Thin: what a command does is in commands/. An AgentError becomes text or, with --json, one
// {"type":"error"} line on standard error. Assertion failures are not caught here: they are our
// own bugs, and the program's entry ends the process with 70.

import { posix } from "node:path";
import { AssertionFailure } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { closestName } from "../config/mod.ts";
import { ControlClient } from "../control/control_client.ts";
import { ControlConnection } from "../control/control_connection.ts";
import type { Role } from "../control/mod.ts";
import { EXIT_OK } from "../exit_code.ts";
import type { Command, CommandContext } from "./command.ts";
import { COMMANDS, ROOT_COMMAND } from "./command_table.ts";
import { completionScript } from "./completion_script.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import { daemonAddress } from "./daemon_address.ts";
import type { OfflineOperations } from "./offline.ts";
import type { Output } from "./output.ts";
import { parseCommand } from "./parse_args.ts";
import { reportError } from "./report_error.ts";

/** What the composition root hands in. */
export interface CliParts {
  readonly runtime: Runtime;
  readonly out: Output;
  readonly version: string;
  offline(): Promise<OfflineOperations>;
  /** Runs a daemon until it is stopped. @returns the exit code */
  runDaemon(options: { readonly role: Role; readonly configFile: string }): Promise<number>;
}

/** Runs one command line. @returns the exit code of the contract */
export async function runCli(args: readonly string[], parts: CliParts): Promise<number> {
  try {
    return await dispatch(args, parts);
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    return reportError(error, args, parts.out);
  }
}

async function dispatch(args: readonly string[], parts: CliParts): Promise<number> {
  if (args.length === 0 || args[0] === "help" || args[0] === "--help" || args[0] === "-h") {
    return printHelp(args.slice(1), parts.out);
  }
  if (args[0] === "--version" || args[0] === "version") {
    parts.out.write(1, `agent ${parts.version}\n`);
    return EXIT_OK;
  }
  if (args.length === 2 && args[1] === "--help" && !args[0]?.startsWith("-")) {
    return printHelp(args.slice(0, 1), parts.out);
  }
  const { command, rest } = findCommand(args);
  const given = parseCommand(command, rest);
  if (given.flag("help")) {
    const text = command.name === "" ? programHelp(ROOT_COMMAND, COMMANDS) : commandHelp(command);
    parts.out.write(1, text);
    return EXIT_OK;
  }
  const { runtime } = parts;
  const context: CommandContext = {
    given,
    runtime,
    out: parts.out,
    json: given.flag("json"),
    offline: () => parts.offline(),
    version: parts.version,
    completion: (shell) => completionScript(shell, ROOT_COMMAND, COMMANDS),
    runDaemon: (options) => parts.runDaemon(options),
    daemon: () => new ControlClient(daemonAddress(given, runtime)),
    connection: () => new ControlConnection(daemonAddress(given, runtime)),
    absolute: (path) => posix.resolve(runtime.process.cwd(), path),
  };
  return await command.run(context);
}

function printHelp(words: readonly string[], out: Output): number {
  const [first = "", ...others] = words;
  const group = others.length === 0 ? commandGroup(first) : [];
  const text = words.length === 0
    ? programHelp(ROOT_COMMAND, COMMANDS)
    : group.length > 0 && !COMMANDS.some((one) => one.name === first)
    ? groupHelp(first, group)
    : commandHelp(findCommand(words).command);
  out.write(1, text);
  return EXIT_OK;
}

/** The command whose words stand first, and what follows them. */
function findCommand(args: readonly string[]): { command: Command; rest: readonly string[] } {
  if (args[0]?.startsWith("-") === true) return { command: ROOT_COMMAND, rest: args };
  for (const count of [2, 1]) {
    const name = args.slice(0, count).join(" ");
    const command = COMMANDS.find((one) => one.name === name);
    if (command !== undefined) return { command, rest: args.slice(count) };
  }
  throw noCommand(args);
}

/** Words that name commands only together with a second one, such as `backup`. */
function commandGroup(word: string): readonly Command[] {
  return COMMANDS.filter((one) => one.name.startsWith(`${word} `));
}

function noCommand(args: readonly string[]): AgentError {
  const first = args[0] ?? "";
  const group = commandGroup(first);
  const names = (group.length > 0 ? group : COMMANDS).map((one) => one.name);
  const typed = group.length > 0 ? args.slice(0, 2).join(" ") : first;
  // A shared first word makes any two names of a group alike: only the second one counts.
  const near = group.length === 0
    ? closestName(typed, names)
    : closestName(args[1] ?? "", names.map((name) => name.slice(first.length + 1)));
  const list = group.map((one) => `agent ${one.name}`).join(", ");
  return new AgentError("usage", `Cannot run "${typed}": it is no command`, {
    hint: near !== null
      ? `Did you mean "agent ${group.length > 0 ? `${first} ` : ""}${near}"?`
      : list !== ""
      ? `Use one of: ${list}`
      : "Run: agent --help",
  });
}
