// The plan of an expiry as a table, for people. Pure.

import { formatSize } from "../config/mod.ts";
import type { ExpiryItemView, Summary } from "../control/mod.ts";
import { count, type Paint, printable } from "./output.ts";
import { renderTable } from "./table.ts";

export function renderExpiry(items: readonly ExpiryItemView[], paint: Paint): string {
  if (items.length === 0) return "no backups\n";
  const table = renderTable(
    [
      { title: "BACKUP" },
      { title: "CLIENT" },
      { title: "TIME" },
      { title: "ACTION" },
      { title: "FREES", align: "right" },
      { title: "HOLDS", align: "right" },
      { title: "WHY" },
    ],
    items.map((item) => [
      item.backup,
      printable(item.client),
      item.time,
      item.action === "keep" ? item.action : paint.yellow(item.action),
      item.frees === 0 ? "" : formatSize(item.frees),
      item.holds === 0 ? "" : formatSize(item.holds),
      printable(item.why.join(", ")),
    ]),
  );
  return `${table}${totals(items)}\n`;
}

function totals(items: readonly ExpiryItemView[]): string {
  const expired = items.filter(({ action }) => action === "expire").length;
  const frees = items.reduce((sum, item) => sum + item.frees, 0);
  const holds = items.reduce((sum, item) => sum + item.holds, 0);
  const held = holds === 0 ? "" : `; ${formatSize(holds)} stay while kept backups need them`;
  return `${count(expired, "backup")} of ${items.length} expire, ${formatSize(frees)} freed${held}`;
}

/** What becomes of archived logs: a line for each archive. */
export function walExpiryLines(wal: Summary["wal"]): readonly string[] {
  return (wal?.archives ?? []).map(({ client, database, files, bytes, why }) => {
    const freed = files === 0 ? "nothing" : `${count(files, "file")}, ${formatSize(bytes)}`;
    return `  log of ${printable(`${client}/${database}`)}: ${freed} freed; ${printable(why)}`;
  });
}
