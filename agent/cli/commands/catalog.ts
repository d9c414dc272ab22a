// `agent catalog rebuild`: the catalog again from the media alone.

import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

export const catalogRebuild: Command = {
  name: "catalog rebuild",
  summary: "Make the catalog again from the media; exit 3 when some cannot be read",
  arguments: [],
  options: DAEMON_OPTIONS,
  examples: ["agent catalog rebuild"],
  run(context) {
    return runJob(context, { kind: "rebuild-catalog" });
  },
};
