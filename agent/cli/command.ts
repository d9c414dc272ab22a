// What a command is: a row of data from which parsing, help and the reference are made, and a
// function that calls and renders. Types only.

import type { Runtime } from "../../transport/runtime/runtime.ts";
import type { ControlClient, ControlConnection, Role } from "../control/mod.ts";
import type { Shell } from "./completion_script.ts";
import type { OfflineOperations } from "./offline.ts";
import type { Output } from "./output.ts";
import type { ParsedArguments } from "./parse_args.ts";

export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  /** Placeholder of the value, or null for a flag. */
  readonly value: string | null;
  readonly help: string;
  /** May be given several times. */
  readonly many?: boolean;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  /** For the program's own use: no help names it. */
  readonly hidden?: true;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** Takes all the rest; only for the last one. */
  readonly many?: boolean;
}

export interface CommandSpec {
  /** Words of the command: "array create"; "" is the program without a command. */
  readonly name: string;
  readonly summary: string;
  readonly details?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
}

/** What a command may use. */
export interface CommandContext {
  readonly given: ParsedArguments;
  readonly runtime: Runtime;
  readonly out: Output;
  /** True with `--json`: one object per line. */
  readonly json: boolean;
  /** What needs no daemon: its modules are loaded for the commands that ask for it only. */
  offline(): Promise<OfflineOperations>;
  /** Of this program. */
  readonly version: string;
  /** The script that completes command lines: the table of commands is not theirs to import. */
  completion(shell: Shell): string;
  runDaemon(options: { readonly role: Role; readonly configFile: string }): Promise<number>;
  /** The daemon that `--control`, AGENT_CONTROL or the default names. */
  daemon(): ControlClient;
  /** The same for bytes, without the schemas of its answers. */
  connection(): ControlConnection;
  /** A path argument, absolute against the current directory. */
  absolute(path: string): string;
}

/**
 * What the commands that PostgreSQL runs may use: it starts one for each file of its log, so they
 * run without the rest of the program (run_log_command.ts).
 */
export type LogContext = Pick<
  CommandContext,
  "given" | "runtime" | "out" | "json" | "connection" | "absolute"
>;

export interface LogCommand extends CommandSpec {
  /** @returns the exit code. @throws AgentError */
  run(context: LogContext): Promise<number>;
}

export interface Command extends CommandSpec {
  /** @returns the exit code. @throws AgentError, which run_cli.ts renders */
  run(context: CommandContext): Promise<number>;
}

export const JSON_OPTION: OptionSpec = {
  name: "json",
  value: null,
  help: "Print one JSON object per line",
};

/** Options of every command that talks to a daemon. */
export const DAEMON_OPTIONS: readonly OptionSpec[] = [
  JSON_OPTION,
  {
    name: "control",
    value: "ADDRESS",
    help: "Daemon: unix:PATH or http://HOST:PORT (AGENT_CONTROL, unix:/run/agent/control.sock)",
  },
  {
    name: "control-token",
    value: "FILE",
    help: "File with the token for http (AGENT_CONTROL_TOKEN_FILE)",
  },
];
