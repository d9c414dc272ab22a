// Text about what `find` found and how two backups differ, for people. Pure.

import type { ChangedEntry, FoundEntry } from "../control/mod.ts";
import { type Paint, printable } from "./output.ts";
import { renderTable } from "./table.ts";

export function renderFound(found: readonly FoundEntry[]): string {
  return renderTable(
    [
      { title: "CLIENT" },
      { title: "FIRST" },
      { title: "LAST" },
      { title: "TYPE" },
      { title: "BYTES", align: "right" },
      { title: "MODIFIED" },
      { title: "PATH" },
    ],
    found.map((entry) => [
      printable(entry.client),
      entry.first,
      entry.last,
      entry.type,
      String(entry.bytes),
      entry.mtime.slice(0, 19) + "Z",
      printable(entry.path),
    ]),
  );
}

/** `+` added, `-` removed, `M` changed and how. */
export function renderChanges(changes: readonly ChangedEntry[], paint: Paint): string {
  if (changes.length === 0) return "no difference\n";
  return changes.map(({ change, path, reasons }) => {
    const name = printable(path);
    if (change === "added") return `${paint.green("+")} ${name}\n`;
    if (change === "removed") return `${paint.red("-")} ${name}\n`;
    return `M ${name} (${reasons.join(", ")})\n`;
  }).join("");
}
