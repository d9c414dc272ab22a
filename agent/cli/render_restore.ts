// What a restore would do, or did, with the objects of its target, as text for people. Pure.

import { formatSize } from "../config/mod.ts";
import type { RestoreItemView, Summary } from "../control/mod.ts";
import { type Verdict, VERDICTS } from "../verdict.ts";
import { count, type Paint, printable } from "./output.ts";

const COLOURS: Readonly<Record<Verdict, ((paint: Paint, text: string) => string) | null>> = {
  make: (paint, text) => paint.green(text),
  replace: (paint, text) => paint.yellow(text),
  attributes: (paint, text) => paint.yellow(text),
  leave: null,
  blocked: (paint, text) => paint.red(text),
};

const WIDTH = Math.max(...VERDICTS.map((verdict) => verdict.length));
const SIZE_WIDTH = 10;

/** A line for each: what becomes of it, its size if it is a file, its path. */
export function renderRestoreItems(items: readonly RestoreItemView[], paint: Paint): string {
  return items.map(({ action, kind, bytes, path }) => {
    const word = action.padEnd(WIDTH);
    const size = (kind === "file" ? formatSize(bytes) : kind).padStart(SIZE_WIDTH);
    return `${COLOURS[action]?.(paint, word) ?? word}  ${size}  ${printable(path)}\n`;
  }).join("");
}

/** A line for each verdict that some object has. */
export function verdictLines(verdicts: Summary["verdicts"], paint: Paint): readonly string[] {
  if (verdicts === undefined) return [];
  return VERDICTS.filter((verdict) => verdicts[verdict].files > 0).map((verdict) => {
    const { files, bytes } = verdicts[verdict];
    const word = verdict.padEnd(WIDTH);
    return `  ${COLOURS[verdict]?.(paint, word) ?? word}  ${count(files, "file")}, ${
      formatSize(bytes)
    }`;
  });
}
