// `agent restore B`: files to a directory, or a database to its place.

import { AgentError } from "../../../transport/ground/error.ts";
import type { JobRequest } from "../../control/mod.ts";
import { type Command, type CommandContext, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

/** Options that only make sense for one of the two kinds. */
const FILES_ONLY = ["client", "include", "overwrite", "dry-run"] as const;
const OVERWRITE = ["never", "always", "changed"] as const;

export const restore: Command = {
  name: "restore",
  summary: "Restore files (on the server's host) or a database (on its client's host)",
  details:
    "Each file goes under DIR at its full source path; without --overwrite a directory that\n" +
    "is not empty is refused. In place: --target / --overwrite always, or changed: that leaves\n" +
    "what has the same type, size and modification time, sets owner and mode where they differ,\n" +
    "and moves the rest only. What the backup does not have stays.",
  arguments: [{
    name: "B",
    help: "A backup: its name or a unique beginning, latest, latest:CLIENT, latest:DATABASE",
    required: true,
  }],
  options: [
    { name: "target", value: "DIR", help: "Where to (files: required)" },
    { name: "client", value: "C", help: "Onto this client (default: where it came from)" },
    { name: "include", value: "GLOB", help: "Only matching paths and what is below", many: true },
    {
      name: "overwrite",
      value: "WHICH",
      help: "never keeps existing files, always replaces them, changed those that differ",
      choices: OVERWRITE,
    },
    { name: "dry-run", value: null, help: "Only show what would be made, replaced and left" },
    { name: "database", value: "NAME", help: "Restore this database" },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent restore latest:web01 --target /tmp/restored",
    "agent restore latest:web01 --target / --overwrite always --include '/srv/www/**/*.html'",
    "agent restore latest:web01 --target / --overwrite changed --dry-run",
    "agent restore latest:app --database app --control unix:run/client.sock",
  ],
  run(context) {
    return runJob(context, restoreRequest(context));
  },
};

function restoreRequest({ given, absolute }: CommandContext): JobRequest {
  const backup = given.requiredArgument("B");
  const target = given.value("target");
  const database = given.value("database");
  if (database !== null) {
    const stray = FILES_ONLY.find((name) => given.flag(name));
    if (stray !== undefined) {
      throw new AgentError("usage", `Cannot use option --${stray}: found --database, need files`, {
        hint: "A database is restored as a whole, on its client's host.",
      });
    }
    const place = target === null ? null : absolute(target);
    return { kind: "restore-database", backup, database, target: place };
  }
  if (target === null) {
    throw new AgentError("usage", "Cannot restore: found no --target, need a directory", {
      hint: "Add --target DIR, or --database NAME for a database.",
    });
  }
  const overwrite = OVERWRITE.find((one) => one === given.value("overwrite")) ?? "refuse";
  return {
    kind: "restore-filesystem",
    backup,
    target: absolute(target),
    client: given.value("client"),
    include: given.values("include"),
    overwrite,
    dryRun: given.flag("dry-run"),
  };
}
