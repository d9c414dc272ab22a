// `agent schedules`: what the daemon starts by itself, when, and what became of it.

import { z } from "zod";
import { scheduleViewSchema } from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { printItems } from "../print_value.ts";
import { renderSchedules } from "../render_schedules.ts";

export const schedules: Command = {
  name: "schedules",
  summary: "List what the daemon starts by itself: next and last run, missed and skipped ones",
  details: "Schedules stand under `schedules:` in the configuration of the server (files of its\n" +
    "clients, expire, verify) or of a client (its databases). A run is missed when no daemon\n" +
    "was there, and skipped when the same still ran or waited. SUCCESS is the age of the last\n" +
    "run that ended ok.",
  arguments: [],
  options: DAEMON_OPTIONS,
  examples: ["agent schedules", "agent schedules --json --control unix:run/client.sock"],
  async run(context) {
    const found = await context.daemon().get("/v1/schedules", z.array(scheduleViewSchema));
    printItems(context, found, (paint) => renderSchedules(found, paint));
    return EXIT_OK;
  },
};
