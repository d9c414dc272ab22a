// `agent backups`, `agent show B` and `agent ls B [PATH]`: what the vault has.

import { z } from "zod";
import {
  backupDetailSchema,
  backupViewSchema,
  listedEntrySchema,
} from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type ArgumentSpec, type Command, DAEMON_OPTIONS } from "../command.ts";
import { renderBackup, renderBackups, renderEntries } from "../render_backup.ts";
import { printItems, printValue } from "../print_value.ts";

export const BACKUP: ArgumentSpec = {
  name: "B",
  help: "A backup: its name or a unique beginning, latest, latest:CLIENT, latest:DATABASE",
  required: true,
};

export const backups: Command = {
  name: "backups",
  summary: "List the backups, newest last",
  arguments: [],
  options: DAEMON_OPTIONS,
  examples: ["agent backups", "agent backups --json"],
  async run(context) {
    const found = await context.daemon().get("/v1/backups", z.array(backupViewSchema));
    printItems(context, found, (paint) => renderBackups(found, paint));
    return EXIT_OK;
  },
};

export const show: Command = {
  name: "show",
  summary: "Show one backup",
  arguments: [BACKUP],
  options: DAEMON_OPTIONS,
  examples: ["agent show latest:web01"],
  async run(context) {
    const reference = encodeURIComponent(context.given.requiredArgument("B"));
    const found = await context.daemon().get(`/v1/backups/${reference}`, backupDetailSchema);
    printValue(context, found, (paint) => renderBackup(found, paint));
    return EXIT_OK;
  },
};

export const ls: Command = {
  name: "ls",
  summary: "List what a backup has at a path",
  arguments: [BACKUP, {
    name: "PATH",
    help: "Full source path (default: the roots)",
    required: false,
  }],
  options: DAEMON_OPTIONS,
  examples: ["agent ls latest", "agent ls latest:web01 /srv/www"],
  async run(context) {
    const reference = encodeURIComponent(context.given.requiredArgument("B"));
    const path = context.given.argument("PATH");
    const query = path === null ? "" : `?path=${encodeURIComponent(fullPath(path))}`;
    const found = await context.daemon().get(
      `/v1/backups/${reference}/entries${query}`,
      z.array(listedEntrySchema),
    );
    printItems(context, found, () => renderEntries(found));
    return EXIT_OK;
  },
};

/** Paths of a backup start with "/" and do not end with it. */
function fullPath(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed.startsWith("/") ? trimmed : `/${trimmed}`;
}
