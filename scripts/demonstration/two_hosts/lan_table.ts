// The two-host demo's table: what each job moved, by its own account and by the LAN's counters.

import type { Summary } from "../../../agent/control/daemon.ts";

export interface LanRow {
  readonly what: string;
  readonly summary: Summary;
  /** Bytes that crossed the LAN meanwhile, with all headers. */
  readonly lanBytes: number;
}

/** Part of a job's bytes that may cross the LAN when its data go through the LUN. */
export const LAN_SHARE_MAX = 0.01;

const HEAD = ["job", "MB", "s", "MB/s", "LAN MB", "LUN MB", "LAN counters", "fallback"];

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** Source bytes per second. */
export function speedOf({ bytes, seconds }: Summary): number {
  return (bytes ?? 0) / Math.max(seconds, 0.001);
}

/** Bytes that crossed the LAN for each byte of the source. */
export function lanShare({ summary, lanBytes }: LanRow): number {
  return lanBytes / Math.max(summary.bytes ?? 0, 1);
}

function cellsOf(row: LanRow): string[] {
  const { bytes, seconds, channels, fallback } = row.summary;
  return [
    row.what,
    megabytes(bytes ?? 0),
    seconds.toFixed(1),
    (speedOf(row.summary) / 1e6).toFixed(0),
    megabytes(channels.network.bytes),
    megabytes(channels.storage.bytes),
    `${(lanShare(row) * 100).toFixed(2)} %`,
    fallback ?? "",
  ];
}

/** The table as text: names to the left, numbers to the right. */
export function lanTable(rows: readonly LanRow[]): string {
  const table = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] ?? "").length))
  );
  const isText = (column: number): boolean => column === 0 || column === HEAD.length - 1;
  return table.map((cells) =>
    cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return isText(column) ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  ).join("\n");
}

/** What speaks against "the data went through the LUN", as sentences. */
export function lanProblems(rows: readonly LanRow[]): string[] {
  return rows.flatMap((row) => {
    const share = lanShare(row);
    const found = row.summary.fallback === null
      ? []
      : [`the ${row.what} fell back to the network: ${row.summary.fallback}`];
    if (share < LAN_SHARE_MAX) return found;
    const percent = (share * 100).toFixed(2);
    const most = LAN_SHARE_MAX * 100;
    return [...found, `the LAN carried ${percent} % of the ${row.what}, need less than ${most} %`];
  });
}
