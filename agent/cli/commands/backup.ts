// `agent backup filesystem` and `agent backup database`: start a backup and wait for its end.

import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";
import { readRules } from "../read_rules.ts";

export const backupFilesystem: Command = {
  name: "backup filesystem",
  summary: "Back up paths of a client; runs on the server's host",
  arguments: [{ name: "PATH", help: "Paths on the client", required: true, many: true }],
  options: [
    { name: "client", value: "C", help: "Client that has the paths", required: true },
    { name: "full", value: null, help: "Take everything, not only what changed" },
    {
      name: "exclude",
      value: "PATTERN",
      help: "Leave out what matches and all below, as in .gitignore; !PATTERN takes it in again",
      many: true,
    },
    { name: "exclude-file", value: "FILE", help: "The same, a pattern a line", many: true },
    {
      name: "exclude-caches",
      value: null,
      help: "Leave out what is in directories with a CACHEDIR.TAG",
    },
    { name: "exclude-larger-than", value: "SIZE", help: "Leave out files of more bytes" },
    { name: "one-file-system", value: null, help: "Leave out what is mounted below the paths" },
    {
      name: "ignore-file",
      value: "NAME",
      help: "Files of this name have patterns for their own directory",
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent backup filesystem --client web01 /srv/www",
    "agent backup filesystem --client web01 --full --exclude /srv/www/tmp /srv/www /etc",
    "agent backup filesystem --client web01 --exclude '*.log' --exclude '!audit.log' /var",
  ],
  run(context) {
    const { given, absolute, runtime } = context;
    return runJob(context, {
      kind: "backup-filesystem",
      client: given.required("client"),
      paths: given.argumentList("PATH").map(absolute),
      full: given.flag("full"),
      exclude: [
        ...given.values("exclude-file").flatMap((file) => readRules(runtime.files, absolute(file))),
        ...given.values("exclude"),
      ],
      excludeCaches: given.flag("exclude-caches"),
      oneFileSystem: given.flag("one-file-system"),
      excludeLargerThan: given.size("exclude-larger-than"),
      ignoreFile: given.value("ignore-file"),
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
