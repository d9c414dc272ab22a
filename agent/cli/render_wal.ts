// What a verification of archived logs found, for people. Pure.

import { formatSeconds, formatSize } from "../config/mod.ts";
import type {
  WalArchiveView,
  WalReachView,
  WalStatusView,
  WalTimelineView,
} from "../control/mod.ts";
import { count, type Paint, printable } from "./output.ts";
import { renderTable } from "./table.ts";

export function renderWalArchives(archives: readonly WalArchiveView[], paint: Paint): string {
  return archives.flatMap((archive) => [
    archiveLine(archive, paint),
    ...archive.timelines.flatMap(timelineLines),
    ...archive.backups.flatMap(({ backup, reaches }) =>
      reaches.map((reach) => reachLine(backup, reach, paint))
    ),
    ...archive.findings.map((finding) => `  ${paint.red("fault:")} ${printable(finding)}`),
  ]).map((line) => `${line}\n`).join("");
}

function archiveLine(archive: WalArchiveView, paint: Paint): string {
  const { client, database, system, files, bytes } = archive;
  const name = paint.bold(printable(`${client}/${database}`));
  return `${name} cluster ${system}: ${count(files, "file")}, ${formatSize(bytes)}`;
}

function timelineLines({ timeline, segments, ranges, gaps }: WalTimelineView): string[] {
  const more = gaps >= ranges.length ? [`    and ${gaps + 1 - ranges.length} more`] : [];
  return [
    `  timeline ${timeline}: ${count(segments, "segment")}, ${count(gaps, "gap")}`,
    ...ranges.map(({ first, last, segments: within }) => `    ${first} to ${last} (${within})`),
    ...more,
  ];
}

function reachLine(
  backup: string,
  { timeline, endLsn, missing }: WalReachView,
  paint: Paint,
): string {
  const lacks = missing === null ? "" : paint.red(`, ${missing} is missing`);
  return `  backup ${printable(backup)}: up to ${endLsn} on timeline ${timeline}${lacks}`;
}

/** What a server has of each log; nothing without any. */
export function renderWalStatus(archives: readonly WalStatusView[]): string {
  if (archives.length === 0) return "";
  return renderTable(
    [
      { title: "LOG OF" },
      { title: "FIRST SEGMENT" },
      { title: "LAST SEGMENT" },
      { title: "AGE", align: "right" },
      { title: "FILES", align: "right" },
      { title: "BYTES", align: "right" },
    ],
    archives.map(({ client, database, first, last, newestAgeSeconds, files, bytes }) => [
      printable(`${client}/${database}`),
      first ?? "-",
      last ?? "-",
      newestAgeSeconds === null ? "-" : formatSeconds(newestAgeSeconds),
      String(files),
      formatSize(bytes),
    ]),
  );
}
