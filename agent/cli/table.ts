// Aligned columns for people. Pure; colours are laid over afterwards by the caller's `paint`.

import { stripVTControlCharacters } from "node:util";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Rows under their titles, two spaces apart, without trailing spaces; "" for no rows. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  if (rows.length === 0) return "";
  const all = [columns.map((column) => column.title), ...rows];
  const widths = columns.map((_, index) =>
    Math.max(...all.map((row) => displayWidth(row[index] ?? "")))
  );
  return all.map((row) =>
    columns.map((column, index) => {
      const cell = row[index] ?? "";
      const gap = " ".repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell)));
      return column.align === "right" ? gap + cell : cell + gap;
    }).join("  ").trimEnd() + "\n"
  ).join("");
}

/** `name: value` lines with the values in one column. */
export function renderFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}`.trimEnd() + "\n")
    .join("");
}

/** Columns that the text takes; colours take none, wide letters two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) {
    width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  }
  return width;
}

/** East Asian wide and full-width ranges, roughly (Unicode TR 11). */
function isWide(point: number): boolean {
  return point >= 0x1100 && (point <= 0x115f || (point >= 0x2e80 && point <= 0xa4cf) ||
    (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
    (point >= 0xfe30 && point <= 0xfe6f) || (point >= 0xff00 && point <= 0xff60) ||
    (point >= 0x1f300 && point <= 0x1faff) || (point >= 0x20000 && point <= 0x3fffd));
}
