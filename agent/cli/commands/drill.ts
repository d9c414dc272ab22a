// `agent drill [B]`: does a backup restore? On the server, to a scratch directory.

import { AgentError } from "../../../transport/ground/error.ts";
import { parseSample } from "../../config/mod.ts";
import { DRILL_ENTRIES, MAX_SEED } from "../../control/limits.ts";
import type { JobRequest } from "../../control/mod.ts";
import { type Command, type CommandContext, DAEMON_OPTIONS } from "../command.ts";
import { runJob } from "../follow_job.ts";

type DrillRequest = Extract<JobRequest, { kind: "drill" }>;

export const drill: Command = {
  name: "drill",
  summary: "Restore a sample of a backup on the server and compare it; exit 13 when it differs",
  details:
    "What is restored, by the code that restores to a client, is compared with the media byte\n" +
    "by byte and with the catalog attribute by attribute, and removed again. A database is\n" +
    "restored whole and has to pass its integrity check. The result stays with the backup.\n" +
    "The server has no key of encrypted backups: without --identity it proves their checksums.",
  arguments: [{
    name: "B",
    help: "A backup: its name or a unique beginning, latest (default), latest:CLIENT, …",
    required: false,
  }],
  options: [
    { name: "client", value: "C", help: "The latest backup of this client" },
    {
      name: "sample",
      value: "N|P%",
      help: `So many entries, or that share of them (default: ${DRILL_ENTRIES})`,
    },
    { name: "all", value: null, help: "Everything" },
    { name: "seed", value: "S", help: "Draw the same sample again" },
    {
      name: "scratch",
      value: "DIR",
      help: "Directory of the server to restore to (default: drill in its vault)",
    },
    {
      name: "identity",
      value: "FILE",
      help: "File of the server, mode 0600, with the age identity that decrypts the backup",
    },
    ...DAEMON_OPTIONS,
  ],
  examples: [
    "agent drill",
    "agent drill --client web01 --sample 5%",
    "agent drill latest:app --all --scratch /var/tmp",
    "agent drill latest:web01 --identity /run/agent/identity.txt",
  ],
  run(context) {
    return runJob(context, drillRequest(context));
  },
};

function drillRequest({ given, absolute }: CommandContext): JobRequest {
  const scratch = given.value("scratch");
  const identity = given.value("identity");
  return {
    kind: "drill",
    backup: referenceOf(given.argument("B"), given.value("client")),
    sample: sampleOf(given.value("sample"), given.flag("all")),
    seed: seedOf(given.value("seed")),
    scratch: scratch === null ? null : absolute(scratch),
    identityFile: identity === null ? null : absolute(identity),
  };
}

function referenceOf(backup: string | null, client: string | null): string {
  if (client === null) return backup ?? "latest";
  if (backup === null || backup === "latest") return `latest:${client}`;
  throw new AgentError("usage", `Cannot drill "${backup}" of --client "${client}": need one name`, {
    hint: "Leave out --client: the backup says whose it is.",
  });
}

function sampleOf(text: string | null, all: boolean): DrillRequest["sample"] {
  if (all && text !== null) {
    throw new AgentError("usage", `Cannot drill --all and --sample "${text}": need one of them`, {
      hint: "Leave one of them out.",
    });
  }
  if (all) return null;
  if (text === null) return { entries: DRILL_ENTRIES };
  const sample = parseSample(text);
  if (sample !== null) return sample;
  throw new AgentError("usage", `Cannot drill sample "${text}": need a count or a share`, {
    hint: "Write --sample 500 for entries, or --sample 5% for a share of them.",
  });
}

function seedOf(text: string | null): number | null {
  if (text === null) return null;
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (seed <= MAX_SEED) return seed;
  throw new AgentError("usage", `Cannot use seed "${text}": need a whole number to ${MAX_SEED}`, {
    hint: "Take the seed that an earlier drill showed.",
  });
}
