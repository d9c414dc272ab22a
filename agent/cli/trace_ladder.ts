// Draws the trace of a job as a ladder: the server on the left, the client on the right, messages
// as arrows between the two lines, figure by figure. Pure.
//
//   0.4 ms   90  send(3, 16 zeros)  ├────────▶┤  120  recv(5) = 16 zeros  0.9 ms
//
// Storage steps (STP calls) and network steps have their own colours; skipped steps are dim.

import type { TraceStep } from "../control/mod.ts";
import { type LadderRow, laddersOf } from "../control/ladder_plan.ts";
import { MAX_LADDER_COLUMNS, MIN_LADDER_COLUMNS } from "./limits.ts";
import { type Paint, printable } from "./output.ts";
import { displayWidth } from "./table.ts";

const TIME_COLUMNS = 9;
const STEP_COLUMNS = 4;
const RUNG_CELLS = 8;

export interface LadderOptions {
  readonly columns: number;
  readonly paint: Paint;
}

/** The whole ladder as text; one line says so when there are no steps. */
export function renderLadder(steps: readonly TraceStep[], options: LadderOptions): string {
  const columns = Math.min(MAX_LADDER_COLUMNS, Math.max(MIN_LADDER_COLUMNS, options.columns));
  const fixed = 2 * (TIME_COLUMNS + STEP_COLUMNS + 2) + RUNG_CELLS + 4;
  const callColumns = Math.floor((columns - fixed) / 2);
  const blocks = laddersOf(steps).map(({ title, rows }) => {
    const lines = rows.flatMap((row) => renderRow(row, callColumns, options.paint));
    return [...heading(title, callColumns, options.paint), ...lines, ""].join("\n");
  });
  return blocks.length === 0 ? "no steps were traced\n" : blocks.join("\n");
}

function heading(title: string, callColumns: number, paint: Paint): readonly string[] {
  const side = TIME_COLUMNS + STEP_COLUMNS + callColumns + 2;
  const server = center("server", side);
  const client = center("client", side).trimEnd();
  return [
    paint.bold(title),
    "",
    `${paint.bold(server)} ${" ".repeat(RUNG_CELLS + 2)} ${paint.bold(client)}`,
    `${" ".repeat(side)} ┬${" ".repeat(RUNG_CELLS)}┬`,
  ];
}

function center(text: string, width: number): string {
  const before = Math.floor((width - text.length) / 2);
  return (" ".repeat(Math.max(0, before)) + text).padEnd(width);
}

function renderRow(row: LadderRow, callColumns: number, paint: Paint): readonly string[] {
  const left = row.server === null ? [] : wrap(callText(row.server), callColumns);
  const right = row.client === null ? [] : wrap(callText(row.client), callColumns);
  const lines: string[] = [];
  for (let index = 0; index < Math.max(1, left.length, right.length); index++) {
    const first = index === 0;
    const server = [
      (first ? timeText(row.server) : "").padStart(TIME_COLUMNS),
      (first ? row.server?.step ?? "" : "").padStart(STEP_COLUMNS),
      padEnd(left[index] ?? "", callColumns),
    ];
    const client = [
      (first ? row.client?.step ?? "" : "").padStart(STEP_COLUMNS),
      padEnd(right[index] ?? "", callColumns),
      (first ? timeText(row.client) : "").padStart(TIME_COLUMNS),
    ];
    const rung = first ? rungText(row, paint) : `│${" ".repeat(RUNG_CELLS)}│`;
    lines.push(
      `${side(server, row.server, paint, 0)} ${rung} ${side(client, row.client, paint, 2)}`
        .trimEnd(),
    );
  }
  return lines;
}

/** Joins the cells of one side in its colours; `time` is the index of the time's cell. */
function side(
  cells: readonly string[],
  step: TraceStep | null,
  paint: Paint,
  time: number,
): string {
  return cells.map((cell, index) => {
    if (index === time || step?.skipped === true) return paint.dim(cell);
    if (step !== null && isStorage(step)) return paint.green(cell);
    return paint.cyan(cell);
  }).join(" ");
}

function rungText(row: LadderRow, paint: Paint): string {
  if (row.from === null) return `│${" ".repeat(RUNG_CELLS)}│`;
  const storage = row.server !== null && isStorage(row.server);
  const line = (storage ? "═" : "─").repeat(RUNG_CELLS - 1);
  const arrow = row.from === "server" ? `├${line}▶┤` : `├◀${line}┤`;
  return storage ? paint.green(arrow) : paint.cyan(arrow);
}

/** A call at the storage mechanism (Fig. 3 item 60). */
function isStorage(step: TraceStep): boolean {
  return /\bSTP|AF_STP|medium/.test(step.call);
}

function callText(step: TraceStep): string {
  const call = printable(step.call);
  return step.skipped ? `(skipped) ${call}` : call;
}

function timeText(step: TraceStep | null): string {
  return step === null ? "" : `${step.atMs.toFixed(1)} ms`;
}

function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Breaks at spaces, and inside words that are wider than a line. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (displayWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    const letters = [...word];
    while (letters.length > width) lines.push(letters.splice(0, width).join(""));
    line = letters.join("");
  }
  lines.push(line);
  return lines;
}
