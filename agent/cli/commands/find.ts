// `agent find GLOB` and `agent diff B1 B2`: where something is, and what became of it.

import { z } from "zod";
import { changedEntrySchema, foundEntrySchema } from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { printItems } from "../print_value.ts";
import { renderChanges, renderFound } from "../render_search.ts";

export const find: Command = {
  name: "find",
  summary: "Find what a glob matches in any backup; exit 1 when nothing does",
  arguments: [{
    name: "GLOB",
    help: "Glob for the full path; a matched directory includes what is below",
    required: true,
  }],
  options: DAEMON_OPTIONS,
  examples: ["agent find '/srv/**/*.conf'", "agent find /etc/fstab --json"],
  async run(context) {
    const glob = encodeURIComponent(context.given.requiredArgument("GLOB"));
    const found = await context.daemon().get(
      `/v1/entries?glob=${glob}`,
      z.array(foundEntrySchema),
    );
    printItems(context, found, () => renderFound(found));
    return EXIT_OK;
  },
};

export const diff: Command = {
  name: "diff",
  summary: "Show what was added, removed and changed from one backup to another",
  arguments: [
    { name: "B1", help: "The earlier backup, as of show", required: true },
    { name: "B2", help: "The later one", required: true },
  ],
  options: DAEMON_OPTIONS,
  examples: ["agent diff 20260101T0100 latest:web01"],
  async run(context) {
    const [before, after] = ["B1", "B2"].map((name) =>
      encodeURIComponent(context.given.requiredArgument(name))
    );
    const found = await context.daemon().get(
      `/v1/backups/${before}/changes/${after}`,
      z.array(changedEntrySchema),
    );
    printItems(context, found, (paint) => renderChanges(found, paint));
    return EXIT_OK;
  },
};
