// `agent wal get NAME FILE`: PostgreSQL's restore_command. The file appears whole or not at all; 1
// says that the archive was looked at and does not have it, 126 anything else, on which a recovery
// stops instead of ending too early.

import { EXIT_OK } from "../../exit_code.ts";
import { operatingError } from "../../operating_error.ts";
import { DAEMON_OPTIONS, type LogCommand } from "../command.ts";
import { placeFile } from "../place_file.ts";
import { clusterOf, DATABASE_OPTION, walPath } from "../wal_cluster.ts";

export const walGet: LogCommand = {
  name: "wal get",
  summary: "Fetch a file of PostgreSQL's write-ahead log (its restore_command)",
  details:
    "Ends with 0 when the file is there, with 1 only when the archive does not have it, and\n" +
    "with 126 for anything else, on which PostgreSQL stops its recovery. A restore with\n" +
    "--to-time and the like writes the restore_command by itself.",
  arguments: [
    { name: "NAME", help: "Name of the file, as `%f` gives it", required: true },
    { name: "FILE", help: "Where to put it, as `%p` gives it", required: true },
  ],
  options: [
    DATABASE_OPTION,
    {
      name: "system",
      value: "ID",
      help: "Identifier of the cluster (default: of the one that FILE lies in)",
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent wal get 000000010000000000000001 /tmp/segment --database pg",
    "agent wal get %f %p --database pg --control unix:/run/agent/wal.sock  # restore_command",
  ],
  run: async (context) => {
    const { given, runtime } = context;
    const file = context.absolute(given.requiredArgument("FILE"));
    const name = given.requiredArgument("NAME");
    const system = given.value("system") ?? clusterOf(runtime.files, file);
    const path = walPath(given.requiredValue("database"), name, system);
    const frame = await context.connection().ask({ method: "GET", path });
    try {
      await placeFile(runtime, file, frame);
    } catch (error) {
      throw operatingError(error, `write "${file}"`);
    }
    return EXIT_OK;
  },
};
