// `agent backup filesystem` and `agent backup database`: start a backup and wait for its end.

import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

export const backupFilesystem: Command = {
  name: "backup filesystem",
  summary: "Back up paths of a client; runs on the server's host",
  arguments: [{ name: "PATH", help: "Paths on the client", required: true, many: true }],
  options: [
    { name: "client", value: "C", help: "Client that has the paths", required: true },
    { name: "full", value: null, help: "Take everything, not only what changed" },
    {
      name: "exclude",
      value: "GLOB",
      help: "Leave out matching paths and what is below",
      many: true,
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent backup filesystem --client web01 /srv/www",
    "agent backup filesystem --client web01 --full --exclude '/srv/www/tmp' /srv/www /etc",
  ],
  run(context) {
    const { given, absolute } = context;
    return runJob(context, {
      kind: "backup-filesystem",
      client: given.required("client"),
      paths: given.argumentList("PATH").map(absolute),
      full: given.flag("full"),
      exclude: given.values("exclude"),
    });
  },
};

export const backupDatabase: Command = {
  name: "backup database",
  summary: "Back up a database; runs on the client's host",
  arguments: [{ name: "NAME", help: "Name under databases in the client's file", required: true }],
  options: DAEMON_OPTIONS,
  examples: ["agent backup database app --control unix:run/client.sock"],
  run(context) {
    const database = context.given.requiredArgument("NAME");
    return runJob(context, { kind: "backup-database", database });
  },
};
