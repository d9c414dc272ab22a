// Puts the steps of both sides into one order that each side's own order and every send before
// its receive agree with: the rows of the ladder.
//
// Pure. The two clocks are never compared: rows with a rung are the only places where the sides
// meet. A rung that contradicts the order of the steps is dropped rather than drawn wrongly.

import type { TraceStep } from "./daemon.ts";
import { type Figure, FIGURE_TITLES, FIRST_STEPS, type Rung, RUNGS } from "./trace_figures.ts";

export interface LadderRow {
  readonly server: TraceStep | null;
  readonly client: TraceStep | null;
  /** Direction of the message, when both steps are the ends of one. */
  readonly from: "server" | "client" | null;
}

/** A figure as it was performed, under its title. */
export interface Ladder {
  readonly title: string;
  readonly rows: readonly LadderRow[];
}

const FIGURES: readonly Figure[] = ["4", "4A", "5"];

/** All ladders of a job, figure by figure. */
export function laddersOf(steps: readonly TraceStep[]): readonly Ladder[] {
  return FIGURES.flatMap((figure) =>
    performances(figure, steps).map((performed, index) => ({
      title: FIGURE_TITLES[figure] + (index === 0 ? "" : ", again after a cut"),
      rows: planLadder(figure, performed),
    }))
  );
}

/**
 * The steps of one figure, a list for each time that it was performed: a job whose network was cut
 * performs Fig. 4 again. The first step of a side begins the next time.
 */
export function performances(
  figure: Figure,
  steps: readonly TraceStep[],
): readonly (readonly TraceStep[])[] {
  const times: TraceStep[][] = [];
  for (const side of ["server", "client"] as const) {
    const own = steps.filter((step) => step.figure === figure && step.side === side);
    let time = -1;
    for (const step of own) {
      if (time < 0 || step.step === FIRST_STEPS[figure]?.[side]) time += 1;
      (times[time] ??= []).push(step);
    }
  }
  return times;
}

/** The rows of one performance of a figure, in the order of their records on each side. */
export function planLadder(figure: Figure, steps: readonly TraceStep[]): readonly LadderRow[] {
  const server = steps.filter((step) => step.figure === figure && step.side === "server");
  const client = steps.filter((step) => step.figure === figure && step.side === "client");
  const rows: LadderRow[] = [];
  let left = 0;
  let right = 0;
  const flushTo = (leftEnd: number, rightEnd: number) => {
    // Steps between two rungs stand side by side: nothing orders them.
    while (left < leftEnd || right < rightEnd) {
      rows.push({
        server: left < leftEnd ? server[left++] ?? null : null,
        client: right < rightEnd ? client[right++] ?? null : null,
        from: null,
      });
    }
  };
  for (const meeting of meetings(figure, server, client)) {
    flushTo(meeting.left, meeting.right);
    rows.push({
      server: server[left++] ?? null,
      client: client[right++] ?? null,
      from: meeting.rung.from,
    });
  }
  flushTo(server.length, client.length);
  return rows;
}

interface Meeting {
  readonly left: number;
  readonly right: number;
  readonly rung: Rung;
}

/** Rungs whose two ends were performed, in an order that holds on both sides. */
function meetings(
  figure: Figure,
  server: readonly TraceStep[],
  client: readonly TraceStep[],
): readonly Meeting[] {
  const found = RUNGS[figure].map((rung) => ({
    rung,
    left: server.findIndex((step) => step.step === rung.server && !step.skipped),
    right: client.findIndex((step) => step.step === rung.client && !step.skipped),
  })).filter(({ left, right }) => left >= 0 && right >= 0);
  found.sort((a, b) => a.left - b.left);
  const kept: Meeting[] = [];
  let lastRight = -1;
  for (const meeting of found) {
    if (meeting.right <= lastRight) continue;
    kept.push(meeting);
    lastRight = meeting.right;
  }
  return kept;
}
