// Runs `wal push` and `wal get` with as little of the program as they need: PostgreSQL starts one
// of them for each segment of its log, and loading all the others takes longer than what they do.

import { posix } from "node:path";
import { AssertionFailure } from "../../transport/ground/assert.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { ControlConnection } from "../control/control_connection.ts";
import type { LogCommand } from "./command.ts";
import { walGet } from "./commands/wal_get.ts";
import { walPush } from "./commands/wal_push.ts";
import { daemonAddress } from "./daemon_address.ts";
import type { Output } from "./output.ts";
import { parseCommand } from "./parse_args.ts";
import { reportError } from "./report_error.ts";

const COMMANDS: readonly LogCommand[] = [walPush, walGet];

/** @returns the exit code; null when the arguments ask for anything else, or for help */
export async function runLogCommand(
  args: readonly string[],
  { runtime, out }: { readonly runtime: Runtime; readonly out: Output },
): Promise<number | null> {
  const command = COMMANDS.find(({ name }) => name === args.slice(0, 2).join(" "));
  if (command === undefined) return null;
  try {
    const given = parseCommand(command, args.slice(2));
    if (given.flag("help")) return null;
    return await command.run({
      given,
      runtime,
      out,
      json: given.flag("json"),
      connection: () => new ControlConnection(daemonAddress(given, runtime)),
      absolute: (path) => posix.resolve(runtime.process.cwd(), path),
    });
  } catch (error) {
    if (error instanceof AssertionFailure) throw error;
    return reportError(error, args, out);
  }
}
