// Prints what a daemon answered: as JSON, one object per line, or as text, from the same value.

import type { CommandContext } from "./command.ts";
import type { Paint } from "./output.ts";

/** A list: one line of JSON for each item. */
export function printItems(
  context: CommandContext,
  items: readonly object[],
  render: (paint: Paint) => string,
): void {
  const { out, json } = context;
  if (!json) return out.write(1, render(out.paint(1)));
  const lines = items.map((item) => `${JSON.stringify(item)}\n`);
  if (lines.length > 0) out.write(1, lines.join(""));
}

/** One value: one line of JSON. */
export function printValue(
  context: CommandContext,
  value: object,
  render: (paint: Paint) => string,
): void {
  printItems(context, [value], render);
}
