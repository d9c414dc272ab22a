// `agent verify [B...] [--data]`: do the media hold what the catalog says?

import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

export const verify: Command = {
  name: "verify",
  summary: "Check backups against the catalog; exit 13 when something is damaged",
  arguments: [{ name: "B", help: "Backups (default: all)", required: false, many: true }],
  options: [
    { name: "data", value: null, help: "Also decompress all data and compare its checksums" },
    ...DAEMON_OPTIONS,
  ],
  examples: ["agent verify", "agent verify --data latest"],
  run(context) {
    const { given } = context;
    return runJob(context, {
      kind: "verify",
      backups: given.argumentList("B"),
      data: given.flag("data"),
    });
  },
};
