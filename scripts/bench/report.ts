// The benchmark's result for people and for machines. Pure.

import { renderTable } from "../../agent/cli/table.ts";
import type { Contestant } from "./contestants.ts";
import type { Rounds, Verdict } from "./goals.ts";
import { valueOf } from "./goals.ts";
import type { FigureName } from "./peer_task.ts";

export interface Result {
  readonly runtime: string;
  readonly contestants: readonly Contestant[];
  readonly rounds: Rounds;
  readonly verdicts: readonly Verdict[];
  /** What was left out, and why. */
  readonly skipped: readonly string[];
}

const FIGURES: readonly FigureName[] = [
  "bytesPerSecond",
  "cpuSecondsPerGigabyte",
  "smallestShare",
  "medianUs",
  "p99Us",
  "firstMs",
  "idleCpuPart",
  "connectionCpuPart",
  "controlP99Ms",
];

const right = (title: string) => ({ title, align: "right" } as const);

/** The goals of a benchmark, and which were met. */
export function renderVerdicts(verdicts: readonly Verdict[]): string {
  return renderTable(
    [{ title: "goal" }, right("found"), { title: "target" }, { title: "" }],
    verdicts.map((one) => [
      one.what,
      `${one.value.toPrecision(3)} ${one.unit}`.trim(),
      one.target,
      one.met ? "met" : "missed",
    ]),
  );
}

export function renderResult({ contestants, rounds, verdicts, skipped }: Result): string {
  const ran = contestants.filter(({ name }) => rounds.has(name));
  const value = (name: string, figure: FigureName) =>
    valueOf({ of: [name, figure], by: null }, rounds);
  const cell = (found: number | null, digits: number, scale = 1) =>
    found === null ? "-" : (found * scale).toFixed(digits);
  const streams = renderTable(
    [
      { title: "between two processes" },
      ...["GB/s", "x TCP", "CPU s/GB", "64 B median us", "p99 us"].map(right),
    ],
    ran.map(({ name, label }) => [
      label,
      cell(value(name, "bytesPerSecond"), 2, 1e-9),
      cell(valueOf({ of: [name, "bytesPerSecond"], by: ["tcp", "bytesPerSecond"] }, rounds), 2),
      cell(value(name, "cpuSecondsPerGigabyte"), 2),
      cell(value(name, "medianUs"), 1),
      cell(value(name, "p99Us"), 1),
    ]),
  );
  const notes = [
    "Medians; ratios within each round. CPU is user and system time of both processes;",
    "for a loop device the kernel's workers are not in it. dd: mean of reading and writing.",
    ...skipped,
  ];
  return `${streams}\n${renderVerdicts(verdicts)}\n${notes.join("\n")}\n`;
}

/** The contents of `--json FILE`. */
export function toJson({ runtime, contestants, rounds, verdicts, skipped }: Result): object {
  const found = contestants.filter(({ name }) => rounds.has(name)).map(({ name, label }) => {
    const medians = FIGURES.flatMap((figure) => {
      const value = valueOf({ of: [name, figure], by: null }, rounds);
      return value === null ? [] : [[figure, value] as const];
    });
    return { name, label, medians: Object.fromEntries(medians), rounds: rounds.get(name) };
  });
  return { type: "summary", runtime, contestants: found, goals: verdicts, skipped };
}
