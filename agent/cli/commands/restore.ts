// `agent restore B`: files to a directory, or a database to its place.

import { AgentError } from "../../../transport/ground/error.ts";
import type { JobRequest } from "../../control/mod.ts";
import { type Command, type CommandContext, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";
import { readRecovery, RECOVERY_OPTIONS, refuseRecovery } from "../recovery_options.ts";

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
    ...RECOVERY_OPTIONS,
    {
      name: "tablespace",
      value: "OLD=NEW",
      help: "PostgreSQL: the tablespace that was at OLD goes to NEW",
      many: true,
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent restore latest:web01 --target /tmp/restored",
    "agent restore latest:web01 --target / --overwrite always --include '/srv/www/**/*.html'",
    "agent restore latest:web01 --target / --overwrite changed --dry-run",
    "agent restore latest:app --database app --control unix:run/client.sock",
    "agent restore latest:pg --database pg --target /srv/pg --tablespace /ssd/ts1=/srv/ts1",
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
    const tablespaces = given.values("tablespace").map((text) => {
      const { from, to } = readTablespace(text);
      return { from, to: absolute(to) };
    });
    const recovery = readRecovery(given);
    return { kind: "restore-database", backup, database, target: place, tablespaces, recovery };
  }
  refuseRecovery(given);
  if (given.flag("tablespace")) {
    throw new AgentError("usage", "Cannot use option --tablespace: found files, need --database", {
      hint: "Add --database NAME.",
    });
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

function readTablespace(text: string): { readonly from: string; readonly to: string } {
  const at = text.indexOf("=");
  const from = text.slice(0, at).replace(/(?<=.)\/+$/, "");
  if (at > 0 && from.startsWith("/") && at + 1 < text.length) {
    return { from, to: text.slice(at + 1) };
  }
  const message = `Cannot use --tablespace "${text}": found no OLD=NEW, need two directories`;
  throw new AgentError("usage", message, { hint: "OLD is the full path that it had." });
}
