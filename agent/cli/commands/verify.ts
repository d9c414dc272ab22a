// `agent verify [B...] [--data] [--subset N/M]`: do the media hold what the catalog says?

import { AgentError } from "../../../transport/ground/error.ts";
import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

export const verify: Command = {
  name: "verify",
  summary: "Check backups against the catalog; exit 13 when something is damaged",
  arguments: [{ name: "B", help: "Backups (default: all)", required: false, many: true }],
  options: [
    { name: "data", value: null, help: "Also decompress all data and compare its checksums" },
    {
      name: "subset",
      value: "N/M",
      help: "Only the N-th of M parts; the runs 1/M to M/M look at everything once",
    },
    ...DAEMON_OPTIONS,
  ],
  examples: ["agent verify", "agent verify --data latest", "agent verify --data --subset 3/30"],
  run(context) {
    const { given } = context;
    return runJob(context, {
      kind: "verify",
      backups: given.argumentList("B"),
      data: given.flag("data"),
      subset: readSubset(given.value("subset")),
    });
  },
};

function readSubset(text: string | null): { readonly part: number; readonly of: number } | null {
  if (text === null) return null;
  const match = /^(\d{1,5})\/(\d{1,5})$/.exec(text);
  const [part, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && part >= 1 && part <= of) return { part, of };
  throw new AgentError("usage", `Cannot verify subset "${text}": need N/M with N from 1 to M`, {
    hint: "Write --subset 1/7 for the first of seven parts.",
  });
}
