// Text about jobs and their summaries, for people. Pure.

import { FALLBACK_REASONS } from "../../transport/flow/mod.ts";
import { formatSeconds, formatSize } from "../config/mod.ts";
import type { ChannelBytes, JobView, Summary } from "../control/mod.ts";
import { count, type Paint, printable } from "./output.ts";
import { drillLines } from "./render_drill.ts";
import { walExpiryLines } from "./render_expiry.ts";
import { verdictLines } from "./render_restore.ts";
import { renderFields, renderTable } from "./table.ts";

const STATE_COLOURS: Readonly<Record<string, "green" | "yellow" | "red" | "cyan">> = {
  ok: "green",
  up: "green",
  incomplete: "yellow",
  cancelled: "yellow",
  interrupted: "yellow",
  failed: "red",
  down: "red",
  running: "cyan",
  connecting: "cyan",
};

/** A state in its colour. */
export function paintState(state: string, paint: Paint): string {
  const colour = STATE_COLOURS[state];
  return colour === undefined ? state : paint[colour](state);
}

export function renderJobs(jobs: readonly JobView[], paint: Paint): string {
  if (jobs.length === 0) return "no jobs\n";
  return renderTable(
    [
      { title: "JOB" },
      { title: "KIND" },
      { title: "CLIENT" },
      { title: "STATE" },
      { title: "CREATED" },
      { title: "BYTES", align: "right" },
      { title: "STORAGE", align: "right" },
      { title: "NETWORK", align: "right" },
    ],
    jobs.map((job) => {
      const numbers = job.summary ?? job.progress;
      return [
        job.job,
        job.kind,
        printable(job.client ?? "-"),
        paintState(job.state, paint),
        job.created,
        formatSize(numbers?.bytes ?? 0),
        formatSize(numbers?.channels.storage.bytes ?? 0),
        formatSize(numbers?.channels.network.bytes ?? 0),
      ];
    }),
  );
}

export function renderJob(job: JobView, paint: Paint): string {
  const fields: [string, string][] = [
    ["job", job.job],
    ["kind", job.kind],
    ["client", printable(job.client ?? "-")],
    ["state", paintState(job.state, paint)],
    ["created", job.created],
  ];
  if (job.error !== null) {
    fields.push(["error", printable(job.error.message)]);
    if (job.error.hint !== undefined) fields.push(["hint", printable(job.error.hint)]);
  }
  const text = renderFields(fields);
  return job.summary === null ? text : text + renderSummary(job.summary, paint, job.state);
}

/**
 * The last lines of a job: what came out, how fast, through which channel.
 * @param state how the job ended; a summary knows no "cancelled"
 */
export function renderSummary(
  summary: Summary,
  paint: Paint,
  state: string = summary.status,
): string {
  const parts = [`${paint.bold(paintState(state, paint))}:`];
  if (summary.backup !== null) parts.push(`backup ${paint.bold(summary.backup)},`);
  if (summary.files !== null) parts.push(`${count(summary.files, "file")},`);
  if (summary.bytes !== null) parts.push(`${formatSize(summary.bytes)} in`);
  parts.push(formatSeconds(summary.seconds));
  if (summary.bytes !== null && summary.seconds > 0) {
    parts.push(`(${formatSize(summary.bytes / summary.seconds)}/s)`);
  }
  const lines = [
    parts.join(" "),
    ...channelLines(summary.channels),
    ...resumedLines(summary.resumed),
    ...verdictLines(summary.verdicts, paint),
    ...drillLines(summary.drill, paint),
    ...walExpiryLines(summary.wal),
  ];
  if (summary.fallback !== null) {
    const meaning = FALLBACK_REASONS[summary.fallback];
    const title = paint.yellow("fallback to the network:");
    lines.push(`  ${title} ${printable(summary.fallback)}`, `    ${meaning}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function channelLines(channels: ChannelBytes): readonly string[] {
  const all = channels.storage.bytes + channels.network.bytes;
  if (all === 0) return []; // A job that moves nothing, such as verify.
  return (["storage", "network"] as const).map((name) => {
    const bytes = channels[name].bytes;
    const share = 100 * bytes / all;
    return `  ${name}  ${formatSize(bytes).padStart(10)}  ${share.toFixed(2).padStart(6)} %`;
  });
}

function resumedLines(resumed: Summary["resumed"]): readonly string[] {
  if (resumed === undefined) return [];
  const kept = `${count(resumed.files, "file")}, ${formatSize(resumed.bytes)}`;
  return [`  went on from a backup that was cut: ${kept} of it were not sent again`];
}
