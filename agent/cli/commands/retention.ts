// `agent pin B [--remove]` and `agent expire [--dry-run]`: which backups stay.

import { backupDetailSchema } from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";
import { printValue } from "../print_value.ts";
import { renderBackup } from "../render_backup.ts";
import { BACKUP } from "./backups.ts";

export const pin: Command = {
  name: "pin",
  summary: "Keep a backup for ever, whatever the retention says",
  arguments: [BACKUP],
  options: [
    { name: "remove", value: null, help: "Let the retention decide about it again" },
    ...DAEMON_OPTIONS,
  ],
  examples: ["agent pin latest:web01", "agent pin 20261122T171500Z-web01-x7k2 --remove"],
  async run(context) {
    const { given } = context;
    const path = `/v1/backups/${encodeURIComponent(given.requiredArgument("B"))}/pin`;
    const daemon = context.daemon();
    const found = given.flag("remove")
      ? await daemon.delete(path, backupDetailSchema)
      : await daemon.post(path, {}, backupDetailSchema);
    printValue(context, found, (paint) => renderBackup(found, paint));
    return EXIT_OK;
  },
};

export const expire: Command = {
  name: "expire",
  summary: "Remove the backups that no rule of the configuration keeps, and say why others stay",
  details: "Rules stand under `retention:` in the server's configuration; without any nothing\n" +
    "expires. Pinned backups, the newest of each source and its newest complete one always\n" +
    "stay. Days, weeks (ISO), months and years are those of UTC. Media that a kept\n" +
    "incremental backup builds on are held until it expires, too.",
  arguments: [],
  options: [
    { name: "dry-run", value: null, help: "Only show what would be removed" },
    ...DAEMON_OPTIONS,
  ],
  examples: ["agent expire --dry-run", "agent expire", "agent expire --json"],
  run(context) {
    return runJob(context, { kind: "expire", dryRun: context.given.flag("dry-run") });
  },
};
