// `agent wal verify [--client C] [--database NAME] [--data]`: how far can backups be recovered by
// their archived log?

import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

export const walVerify: Command = {
  name: "wal verify",
  summary: "Check archived write-ahead logs; exit 13 when a backup lacks something",
  details:
    "Shows what each archive has of each timeline, and up to which LSN each kept backup can be\n" +
    "recovered. A gap that no kept backup needs is shown, but no fault.",
  arguments: [],
  options: [
    { name: "client", value: "C", help: "Only archives of this client" },
    { name: "database", value: "NAME", help: "Only archives of this database" },
    {
      name: "data",
      value: null,
      help: "Also decompress every file and compare it with its checksum and name",
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent wal verify",
    "agent wal verify --database pg --data",
    "agent wal verify --json",
  ],
  run(context) {
    const { given } = context;
    return runJob(context, {
      kind: "verify-wal",
      client: given.value("client"),
      database: given.value("database"),
      data: given.flag("data"),
    });
  },
};
