// `agent status`, `agent jobs`, `agent job J`, `agent cancel J` and `agent trace J`.

import { z } from "zod";
import { statusViewSchema } from "../../control/status_schema.ts";
import { jobViewSchema, traceStepSchema } from "../../control/view_schema.ts";
import { EXIT_OK } from "../../exit_code.ts";
import {
  type ArgumentSpec,
  type Command,
  type CommandContext,
  DAEMON_OPTIONS,
} from "../command.ts";
import { watchJob } from "../follow_job.ts";
import { printItems, printValue } from "../print_value.ts";
import { renderStatus } from "../render_backup.ts";
import { renderJob, renderJobs } from "../render_job.ts";
import { renderLadder } from "../trace_ladder.ts";

const JOB: ArgumentSpec = { name: "J", help: "A job or a unique beginning", required: true };

export const status: Command = {
  name: "status",
  summary: "Show the daemon and its groups",
  arguments: [],
  options: DAEMON_OPTIONS,
  examples: ["agent status", "agent status --control unix:run/client.sock"],
  async run(context) {
    const found = await context.daemon().get("/v1/status", statusViewSchema);
    printValue(context, found, (paint) => renderStatus(found, paint));
    return EXIT_OK;
  },
};

export const jobs: Command = {
  name: "jobs",
  summary: "List the jobs the daemon knows",
  arguments: [],
  options: DAEMON_OPTIONS,
  examples: ["agent jobs"],
  async run(context) {
    const found = await context.daemon().get("/v1/jobs", z.array(jobViewSchema));
    printItems(context, found, (paint) => renderJobs(found, paint));
    return EXIT_OK;
  },
};

export const job: Command = {
  name: "job",
  summary: "Show one job, or follow it to its end",
  arguments: [JOB],
  options: [
    { name: "follow", value: null, help: "Print its events and end with its exit code" },
    ...DAEMON_OPTIONS,
  ],
  examples: ["agent job 3f", "agent job 3f --follow"],
  async run(context) {
    const found = await context.daemon().get(jobPath(context), jobViewSchema);
    if (context.given.flag("follow")) return watchJob(context, found.job);
    printValue(context, found, (paint) => renderJob(found, paint));
    return EXIT_OK;
  },
};

export const cancel: Command = {
  name: "cancel",
  summary: "Ask a running job to stop",
  arguments: [JOB],
  options: DAEMON_OPTIONS,
  examples: ["agent cancel 3f"],
  async run(context) {
    const found = await context.daemon().delete(jobPath(context), jobViewSchema);
    printValue(context, found, (paint) => renderJob(found, paint));
    return EXIT_OK;
  },
};

export const trace: Command = {
  name: "trace",
  summary: "Draw how a job's connections came about, step by step",
  details:
    "The server stands on the left, the client on the right. Numbers are those of the figures\n" +
    "of the patent application; times are each side's own.",
  arguments: [JOB],
  options: DAEMON_OPTIONS,
  examples: ["agent trace 3f"],
  async run(context) {
    const steps = await context.daemon().get(`${jobPath(context)}/trace`, z.array(traceStepSchema));
    const columns = context.out.columns();
    printItems(context, steps, (paint) => renderLadder(steps, { columns, paint }));
    return EXIT_OK;
  },
};

function jobPath(context: CommandContext): string {
  return `/v1/jobs/${encodeURIComponent(context.given.requiredArgument("J"))}`;
}
