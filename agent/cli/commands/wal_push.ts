// `agent wal push FILE`: PostgreSQL's archive_command. The command opens the file itself, as the
// database's user, and tells which cluster it runs for; the daemon needs no right to either.

import { AgentError } from "../../../transport/ground/error.ts";
import { readSmallFile, SystemError } from "../../../transport/runtime/mod.ts";
import { MAX_WAL_REQUEST_BYTES } from "../../control/limits.ts";
import { walPushedSchema } from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type Command, type CommandContext, DAEMON_OPTIONS } from "../command.ts";
import { clusterOf, DATABASE_OPTION, walPath } from "../wal_cluster.ts";

export const walPush: Command = {
  name: "wal push",
  summary: "Archive a file of PostgreSQL's write-ahead log (its archive_command)",
  details:
    "Ends with 0 when the file is durable in the vault, also when the same bytes were there\n" +
    "before, and with 1 to 125 otherwise. Other bytes under a name that is taken are refused.",
  arguments: [{ name: "FILE", help: "The file, as `%p` names it", required: true }],
  options: [DATABASE_OPTION, ...DAEMON_OPTIONS],
  examples: [
    "agent wal push pg_wal/000000010000000000000001 --database pg",
    "agent wal push %p --database pg --control unix:/run/agent/wal.sock  # archive_command",
  ],
  run: async (context) => {
    const file = context.absolute(context.given.requiredArgument("FILE"));
    const name = file.slice(file.lastIndexOf("/") + 1);
    const system = clusterOf(context.runtime.files, file);
    const path = walPath(context.given.requiredValue("database"), name, system);
    const pushed = await context.daemon().put(path, readLogFile(context, file), walPushedSchema);
    if (context.json) context.out.write(1, `${JSON.stringify({ type: "wal", name, ...pushed })}\n`);
    return EXIT_OK;
  },
};

function readLogFile({ runtime }: CommandContext, file: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array | null;
  try {
    bytes = readSmallFile(runtime.files, file, MAX_WAL_REQUEST_BYTES);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const message = `Cannot read "${file}": found ${cause.errno}, need a file of the log`;
    throw new AgentError("failed", message, { cause });
  }
  if (bytes !== null && bytes.length > 0) return new Uint8Array(bytes);
  const found = bytes === null ? "more" : "nothing";
  const message = `Cannot archive "${file}": found ${found} in it, need at most ` +
    `${MAX_WAL_REQUEST_BYTES} bytes`;
  throw new AgentError("usage", message);
}
