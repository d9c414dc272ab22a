// The page at GET /: status, jobs and backups, self-contained, without scripts.
//
// Pure. Every value is escaped; the page asks nothing of other hosts and refreshes itself.

import { formatSize } from "../config/mod.ts";
import type { BackupView, JobView, StatusView } from "./daemon.ts";
import type { LastBackupView, ScheduleView } from "./schedule_view.ts";

/** Rows of each table: a page, not an archive. */
const MAX_ROWS = 50;
const REFRESH_SECONDS = 5;

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;
padding:0 1rem;color:#222;background:#fafafa}h1{font-size:1.4rem}
h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;
border-bottom:1px solid #ddd}th{color:#666;font-weight:600}.ok,.up{color:#176639}
.failed,.down{color:#a11}.incomplete,.cancelled{color:#8a5a00}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#333}
.ok,.up{color:#6c6}.failed,.down{color:#f77}.incomplete,.cancelled{color:#eb5}}`;

export interface DashboardData {
  readonly status: StatusView;
  readonly jobs: readonly JobView[];
  /** Null on a client: it has none. */
  readonly backups: readonly BackupView[] | null;
}

/** The whole HTML page. */
export function renderDashboard({ status, jobs, backups }: DashboardData): string {
  const ready = status.ready ? mark("up", "ready") : mark("down", status.reasons.join("; "));
  const parts = [
    `<h1>${escapeHtml(status.name)} <small>${status.role}</small></h1>`,
    `<p>${ready} · version ${escapeHtml(status.version)} · ${status.jobs.running} running, ` +
    `${status.jobs.queued} queued · ` +
    `${formatSize(status.residentBytes)} resident</p>`,
    table(
      "Storage transport groups",
      ["Name", "State", "Host", "Volumes"],
      status.stgs.map((stg) => [
        escapeHtml(stg.name),
        mark(stg.state, stg.reason ?? stg.state),
        String(stg.host),
        escapeHtml(stg.volumes.join(", ")),
      ]),
    ),
    ...clientTables(status),
    table("Jobs", ["Job", "Kind", "Client", "State", "Bytes", "Storage", "Network"], jobRows(jobs)),
  ];
  if (backups !== null) {
    parts.push(
      table(
        "Backups",
        ["Backup", "Client", "Kind", "Time", "State", "Files", "Bytes"],
        backupRows(backups),
      ),
    );
  }
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width">` +
    `<meta http-equiv="refresh" content="${REFRESH_SECONDS}">` +
    `<title>${escapeHtml(status.name)}</title><style>${STYLE}</style></head>` +
    `<body>${parts.join("\n")}</body></html>\n`;
}

function clientTables({ clients, schedules }: StatusView): string[] {
  const clientHeads = ["Client", "Kind", "Last backup", "Last success"];
  const scheduleHeads = ["Schedule", "When", "Next", "Last run", "Outcome", "Missed", "Skipped"];
  return [
    clients.length === 0 ? "" : table("Clients", clientHeads, clients.map(clientRow)),
    schedules.length === 0 ? "" : table("Schedules", scheduleHeads, schedules.map(scheduleRow)),
  ];
}

function clientRow({ client, kind, database, lastBackup, lastSuccess }: LastBackupView): string[] {
  return [
    escapeHtml(client),
    escapeHtml(database === null ? kind ?? "" : `${kind} ${database}`),
    escapeHtml(lastBackup ?? ""),
    lastSuccess === null ? mark("failed", "never") : escapeHtml(lastSuccess),
  ];
}

function scheduleRow(view: ScheduleView): string[] {
  const { schedule, cron, timeZone, next, lastRun, lastOutcome, missed, skipped } = view;
  return [
    escapeHtml(schedule),
    escapeHtml(`${cron} ${timeZone}`),
    escapeHtml(next ?? ""),
    escapeHtml(lastRun ?? ""),
    lastOutcome === null ? "" : mark(lastOutcome, lastOutcome),
    String(missed),
    String(skipped),
  ];
}

function jobRows(jobs: readonly JobView[]): string[][] {
  return jobs.slice(-MAX_ROWS).reverse().map((job) => {
    const numbers = job.summary ?? job.progress;
    return [
      escapeHtml(job.job),
      job.kind,
      escapeHtml(job.client ?? ""),
      mark(job.state, job.state),
      formatSize(numbers?.bytes ?? 0),
      formatSize(numbers?.channels.storage.bytes ?? 0),
      formatSize(numbers?.channels.network.bytes ?? 0),
    ];
  });
}

function backupRows(backups: readonly BackupView[]): string[][] {
  return backups.slice(-MAX_ROWS).reverse().map((backup) => [
    escapeHtml(backup.backup),
    escapeHtml(backup.client),
    escapeHtml(backup.database === null ? backup.kind : `${backup.kind} ${backup.database}`),
    escapeHtml(backup.time),
    mark(backup.status, backup.status),
    String(backup.files),
    formatSize(backup.bytes),
  ]);
}

function table(title: string, heads: readonly string[], rows: readonly string[][]): string {
  if (rows.length === 0) return `<h2>${title}</h2><p>None.</p>`;
  const head = heads.map((text) => `<th>${text}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  return `<h2>${title}</h2><table><tr>${head}</tr>${body.join("")}</table>`;
}

function mark(state: string, text: string): string {
  return `<span class="${escapeHtml(state)}">${escapeHtml(text)}</span>`;
}

/** Text as HTML content or attribute value. */
function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}
