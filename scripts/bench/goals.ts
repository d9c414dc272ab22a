// What the transport has to reach, as ratios and bounds over the figures of one benchmark, and how
// the goals of any benchmark are judged. Pure.
//
// A ratio is taken within each round, since two runs that follow each other saw the same machine;
// the goal is judged by the median of the rounds.

import { median } from "./median.ts";
import type { FigureName } from "./peer_task.ts";

export interface Goal<F extends string = FigureName> {
  readonly what: string;
  /** Contestant and figure. */
  readonly of: readonly [string, F];
  /** What it is divided by; null judges the figure itself. */
  readonly by: readonly [string, F] | null;
  readonly least?: number;
  readonly most?: number;
  readonly aim?: number;
  readonly unit: string;
}

export const GOALS: readonly Goal[] = [
  ratio("stream, STP to TCP", "stp", "tcp", { least: 1.2, aim: 1.4 }),
  ratio("stream, STP to iperf3", "stp", "iperf3", { least: 1.1, aim: 1.4 }),
  {
    what: "CPU per GB, STP to TCP",
    of: ["stp", "cpuSecondsPerGigabyte"],
    by: ["tcp", "cpuSecondsPerGigabyte"],
    most: 1,
    unit: "x",
  },
  ratio("stream, STP on a loop device to two dd", "raw", "dd", { least: 0.6, aim: 0.75 }),
  {
    what: "round trip of 64 bytes, STP to TCP, median",
    of: ["stp", "medianUs"],
    by: ["tcp", "medianUs"],
    most: 0.5,
    aim: 0.25,
    unit: "x",
  },
  bound("first message after 10 s of silence", ["idle", "firstMs"], 50, "ms"),
  bound("an end of an idle connection, part of a core", ["idle", "connectionCpuPart"], 0.01, ""),
  ratio("stream, eight connections to one", "many", "stp", { least: 0.9 }),
  {
    what: "smallest of eight shares, 1 is fair",
    of: ["many", "smallestShare"],
    by: null,
    least: 0.5,
    unit: "",
  },
  bound("control endpoint's p99 beside a stream", ["control", "controlP99Ms"], 15, "ms"),
];

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly target: string;
  readonly met: boolean;
  readonly unit: string;
}

/** Figures by contestant, one entry for each round. */
export type Rounds<F extends string = FigureName> = ReadonlyMap<
  string,
  readonly { readonly [figure in F]?: number }[]
>;

/** The goals whose contestants all took part. */
export function judge<F extends string>(
  goals: readonly Goal<F>[],
  rounds: Rounds<F>,
): Verdict[] {
  return goals.flatMap((goal) => {
    const value = valueOf(goal, rounds);
    if (value === null) return [];
    const met = value >= (goal.least ?? -Infinity) && value <= (goal.most ?? Infinity);
    return [{ what: goal.what, value, target: targetOf(goal), met, unit: goal.unit }];
  });
}

/** The median of the rounds; null when a contestant did not run. */
export function valueOf<F extends string>(
  { of, by }: Pick<Goal<F>, "of" | "by">,
  rounds: Rounds<F>,
): number | null {
  const upper = figuresOf(rounds, of);
  const lower = by === null ? null : figuresOf(rounds, by);
  if (upper.length === 0 || lower?.length === 0) return null;
  return median(
    lower === null
      ? upper
      : upper.slice(0, lower.length).map((value, round) => value / (lower[round] ?? NaN)),
  );
}

function figuresOf<F extends string>(
  rounds: Rounds<F>,
  [name, figure]: readonly [string, F],
): number[] {
  return (rounds.get(name) ?? []).flatMap((figures) => figures[figure] ?? []);
}

function targetOf({ least, most, aim, unit }: Omit<Goal, "of" | "by">): string {
  const bound = least === undefined ? `at most ${most}` : `at least ${least}`;
  const text = unit === "" ? bound : `${bound} ${unit}`;
  return aim === undefined ? text : `${text}, aim at ${aim}`;
}

function ratio(
  what: string,
  of: string,
  by: string,
  bounds: { readonly least: number; readonly aim?: number },
): Goal {
  return { what, of: [of, "bytesPerSecond"], by: [by, "bytesPerSecond"], unit: "x", ...bounds };
}

function bound(what: string, of: readonly [string, FigureName], most: number, unit: string): Goal {
  return { what, of, by: null, most, unit };
}
