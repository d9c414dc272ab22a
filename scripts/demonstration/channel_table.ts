// The demo's table of bytes per channel, and the limits that the job summaries are held to.

import type { Summary } from "../../agent/control/daemon.ts";

export interface TableRow {
  readonly what: string;
  readonly summary: Summary;
}

/** Share of a file backup's bytes that may cross the network: control and errors, no data. */
const NETWORK_SHARE_MAX = 0.02;
/** Below this the share says nothing: a small directory is less than the steps of its set-up. */
const NETWORK_BYTES_FREE = 64 * 1024;
/** Bytes that a database backup may send over the network: the steps of Fig. 5 alone. */
const DATABASE_NETWORK_BYTES_MAX = 64 * 1024;

const HEAD = ["job", "files", "MB", "s", "MB/s", "network bytes", "storage bytes", "network"];

/** Part of all bytes that crossed the network, 0 to 1. */
export function networkShare({ channels }: Summary): number {
  const { network, storage } = channels;
  const all = network.bytes + storage.bytes;
  return all === 0 ? 0 : network.bytes / all;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function cellsOf({ what, summary }: TableRow): string[] {
  const { files, bytes, seconds, channels } = summary;
  const megabytes = (bytes ?? 0) / 1e6;
  return [
    what,
    files === null ? "" : grouped(files),
    megabytes.toFixed(1),
    seconds.toFixed(1),
    (megabytes / Math.max(seconds, 0.001)).toFixed(0),
    grouped(channels.network.bytes),
    grouped(channels.storage.bytes),
    `${(networkShare(summary) * 100).toFixed(2)} %`,
  ];
}

/** The table as text, the first column to the left, numbers to the right. */
export function channelTable(rows: readonly TableRow[]): string {
  const table = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] ?? "").length))
  );
  return table.map((cells) =>
    cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ")
  ).join("\n");
}

/** What the channels of the two backups did wrong, as sentences. */
export function channelProblems(backups: { file: Summary; database: Summary }): string[] {
  const problems: string[] = [];
  const share = networkShare(backups.file);
  if (share >= NETWORK_SHARE_MAX && backups.file.channels.network.bytes >= NETWORK_BYTES_FREE) {
    problems.push(
      `${(share * 100).toFixed(1)} % of the file backup crossed the network, ` +
        `need less than ${NETWORK_SHARE_MAX * 100} %`,
    );
  }
  const bytes = backups.database.channels.network.bytes;
  if (bytes >= DATABASE_NETWORK_BYTES_MAX) {
    problems.push(
      `${grouped(bytes)} bytes of the database backup crossed the network, ` +
        `need less than ${grouped(DATABASE_NETWORK_BYTES_MAX)}`,
    );
  }
  for (const [what, { fallback }] of Object.entries(backups)) {
    if (fallback !== null) {
      problems.push(`the ${what} backup fell back to the network: ${fallback}`);
    }
  }
  return problems;
}
