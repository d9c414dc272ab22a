// The backup benchmark's table and plots. Pure.

import { renderTable } from "../../../agent/cli/table.ts";
import { barPlot } from "../bar_plot.ts";
import { valueOf } from "../goals.ts";
import { type Act, PEERS, runName, type SetName } from "./backup_figures.ts";
import type { BackupFigure, BackupRounds } from "./backup_goals.ts";

const SETS: readonly SetName[] = ["small", "large"];
const ACTS = ["backup", "restore"] as const;

const LABELS = {
  agent: "agent",
  tar: "tar, zstd -3",
  restic: "restic",
  borg: "Borg",
} as const;

/** Medians, for people. */
export function backupTable(rounds: BackupRounds): string {
  const right = (title: string) => ({ title, align: "right" } as const);
  const rows = SETS.flatMap((set) =>
    ACTS.flatMap((act) =>
      PEERS.filter((peer) => rounds.has(runName(peer, set, act))).map((peer) => {
        const cell = (figure: BackupFigure, digits: number, scale = 1): string => {
          const value = figureOf(rounds, runName(peer, set, act), figure);
          return value === null ? "-" : (value * scale).toFixed(digits);
        };
        return [
          `${act} of ${set} files`,
          LABELS[peer],
          cell("seconds", 2),
          cell("bytesPerSecond", 0, 1e-6),
          ratioCell(rounds, [peer, set, act]),
          cell("cpuSeconds", 2),
          cell("peakMib", 0),
          cell("storedBytes", 0, 1e-6),
        ];
      })
    )
  );
  const titles = ["s", "MB/s", "x tar", "CPU s", "peak MiB", "stored MB"];
  return renderTable([{ title: "" }, { title: "" }, ...titles.map(right)], rows);
}

/** One picture for each act: speeds of all peers with both kinds of files. */
export function backupPlots(rounds: BackupRounds): ReadonlyMap<string, string> {
  return new Map(ACTS.map((act) => [
    `${act}_speed.svg`,
    barPlot({
      title: act === "backup" ? "Full backup" : "Restore",
      yLabel: "MB/s",
      groups: SETS.map((set) => `${set} files`),
      series: PEERS.map((peer) => ({
        label: LABELS[peer],
        values: SETS.map((set) =>
          (figureOf(rounds, runName(peer, set, act), "bytesPerSecond") ?? 0) / 1e6
        ),
      })),
    }),
  ]));
}

function figureOf(rounds: BackupRounds, name: string, figure: BackupFigure): number | null {
  return valueOf({ of: [name, figure], by: null }, rounds);
}

function ratioCell(
  rounds: BackupRounds,
  [peer, set, act]: readonly [typeof PEERS[number], SetName, Act],
): string {
  const of = [runName(peer, set, act), "bytesPerSecond"] as const;
  const by = [runName("tar", set, act), "bytesPerSecond"] as const;
  return valueOf({ of, by }, rounds)?.toFixed(2) ?? "-";
}
