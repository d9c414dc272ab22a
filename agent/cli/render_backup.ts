// Text about backups, their entries, groups and daemons, for people. Pure.

import { formatSeconds, formatSize } from "../config/mod.ts";
import type { BackupDetail, BackupView, Drill, ListedEntry, StatusView } from "../control/mod.ts";
import type { CertificateView } from "../control/certificate_view.ts";
import { EXPIRY_WARNING_DAYS } from "../doctor/limits.ts";
import type { SourceSelection } from "../source_selection.ts";
import { type Paint, printable } from "./output.ts";
import { drillText } from "./render_drill.ts";
import { paintState } from "./render_job.ts";
import { renderLastBackups, renderSchedules } from "./render_schedules.ts";
import { renderStg } from "./render_stg.ts";
import { renderWalStatus } from "./render_wal.ts";
import { renderFields, renderTable } from "./table.ts";

const DAY_SECONDS = 86_400;

export function renderBackups(backups: readonly BackupView[], paint: Paint): string {
  if (backups.length === 0) return "no backups\n";
  return renderTable(
    [
      { title: "BACKUP" },
      { title: "CLIENT" },
      { title: "KIND" },
      { title: "TIME" },
      { title: "LEVEL" },
      { title: "STATUS" },
      { title: "PIN" },
      { title: "DRILLED" },
      { title: "FILES", align: "right" },
      { title: "BYTES", align: "right" },
      { title: "STORAGE", align: "right" },
      { title: "NETWORK", align: "right" },
    ],
    backups.map((backup) => [
      backup.backup,
      printable(backup.client),
      kindText(backup),
      backup.time,
      backup.level,
      paintState(backup.status, paint),
      backup.pinned ? "pinned" : "",
      backup.drilled === null ? "" : paintState(backup.drilled.status, paint),
      String(backup.files),
      formatSize(backup.bytes),
      formatSize(backup.channels.storage.bytes),
      formatSize(backup.channels.network.bytes),
    ]),
  );
}

export function renderBackup(backup: BackupDetail, paint: Paint): string {
  const fields: [string, string][] = [
    ["backup", backup.backup],
    ["client", printable(backup.client)],
    ["kind", kindText(backup)],
    ["time", backup.time],
    ["level", backup.level],
    ["parent", backup.parent ?? "-"],
    ["status", paintState(backup.status, paint)],
    ["pinned", backup.pinned ? "yes" : "no"],
    ["drilled", backup.drilled === null ? "never" : drilled(backup.drilled, paint)],
    ["paths", backup.paths.map(printable).join(", ")],
    ["exclude", selectionText(backup)],
    ["files", String(backup.files)],
    ["bytes", formatSize(backup.bytes)],
    ["took", formatSeconds(backup.seconds)],
    ["media", `${printable(backup.media)} (${formatSize(backup.mediaBytes)})`],
    ["storage", formatSize(backup.channels.storage.bytes)],
    ["network", formatSize(backup.channels.network.bytes)],
    ["fallback", printable(backup.fallback ?? "-")],
  ];
  const skipped = backup.skipped.map(({ path, reason }) =>
    `  ${printable(path)}: ${printable(reason)}\n`
  );
  return renderFields(fields) + (skipped.length === 0 ? "" : `skipped:\n${skipped.join("")}`);
}

/** The rules, and the other options as they are asked for. */
function selectionText(selection: SourceSelection): string {
  const { exclude, excludeLargerThan, ignoreFile } = selection;
  const parts = [
    ...exclude.map(printable),
    ...selection.excludeCaches ? ["--exclude-caches"] : [],
    ...selection.oneFileSystem ? ["--one-file-system"] : [],
    ...excludeLargerThan === null ? [] : [`--exclude-larger-than ${excludeLargerThan}`],
    ...ignoreFile === null ? [] : [`--ignore-file ${printable(ignoreFile)}`],
  ];
  return parts.length === 0 ? "-" : parts.join(", ");
}

function drilled(drill: Drill, paint: Paint): string {
  return `${drill.time} ${paintState(drill.status, paint)}: ${drillText(drill)}`;
}

function kindText(backup: BackupView): string {
  return backup.database === null ? backup.kind : `${backup.kind} ${printable(backup.database)}`;
}

/** Lines as of `ls -l`. */
export function renderEntries(entries: readonly ListedEntry[]): string {
  if (entries.length === 0) return "empty\n";
  return renderTable(
    [
      { title: "MODE" },
      { title: "TYPE" },
      { title: "UID", align: "right" },
      { title: "GID", align: "right" },
      { title: "BYTES", align: "right" },
      { title: "MODIFIED" },
      { title: "PATH" },
    ],
    entries.map((entry) => [
      entry.mode,
      entry.type,
      String(entry.uid),
      String(entry.gid),
      String(entry.bytes),
      entry.mtime.slice(0, 19) + "Z",
      printable(entry.path) + (entry.target === null ? "" : ` -> ${printable(entry.target)}`),
    ]),
  );
}

/** Whose it is, and until when; `agent doctor` says what to do about it. */
function certificateField(
  { file, serial, names, notAfter, leftSeconds }: CertificateView,
  paint: Paint,
): readonly [string, string] {
  const days = Math.floor(leftSeconds / DAY_SECONDS);
  const valid = `valid until ${notAfter}, ${days} days`;
  const until = leftSeconds < 0
    ? paint.red(`expired at ${notAfter}`)
    : days < EXPIRY_WARNING_DAYS
    ? paint.yellow(valid)
    : valid;
  return [`tls.${file}`, [...names.map(printable), `serial ${serial}`, until].join(", ")];
}

export function renderStatus(status: StatusView, paint: Paint): string {
  const ready = status.ready
    ? paint.green("ready")
    : paint.red(`not ready: ${printable(status.reasons.join("; "))}`);
  const head = renderFields([
    ["name", printable(status.name)],
    ["role", status.role],
    ["version", status.version],
    ["state", ready],
    ["up", formatSeconds(status.uptimeSeconds)],
    ["memory", formatSize(status.residentBytes)],
    [
      "jobs",
      `${status.jobs.running} running, ${status.jobs.queued} queued, ${status.jobs.total} known`,
    ],
    ...status.certificates.map((one) => certificateField(one, paint)),
    ...status.cutBackups.map(({ client, paths, time, mediaBytes }) => {
      const what = printable(`${client} ${paths.join(" ")}`);
      return [
        "cut backup",
        `${what}, of ${time}: ${formatSize(mediaBytes)} to go on from`,
      ] as const;
    }),
  ]);
  const tables = [
    renderLastBackups(status.clients, paint),
    renderWalStatus(status.wal),
    status.schedules.length === 0 ? "" : renderSchedules(status.schedules, paint),
    ...status.stgs.map((stg) => renderStg(stg, paint)),
  ];
  return head + tables.filter((table) => table !== "").map((table) => `\n${table}`).join("");
}
