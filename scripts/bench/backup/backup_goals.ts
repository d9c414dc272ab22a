// What backup and restore have to reach.

import type { Goal, Rounds } from "../goals.ts";
import { type BackupFigures, type PeerName, runName, type SetName } from "./backup_figures.ts";
import { RESIDENT_MIB_MAX } from "./limits.ts";

export type BackupFigure = keyof BackupFigures;
export type BackupRounds = Rounds<BackupFigure>;
type BackupGoal = Goal<BackupFigure>;

const SETS: readonly SetName[] = ["small", "large"];

/** The figures of the run that measures a million files. */
export const MILLION = "million";

export const BACKUP_GOALS: readonly BackupGoal[] = [
  ...SETS.flatMap((set) => [
    speed("backup", set, "tar", 0.8),
    speed("backup", set, "restic", 1),
    speed("backup", set, "borg", 1),
    speed("restore", set, "tar", 0.8),
  ]),
  {
    what: "incremental backup, nothing changed, to find of all that stat tells",
    of: [runName("agent", "small", "again"), "seconds"],
    by: [runName("find", "small", "again"), "seconds"],
    most: 2,
    unit: "x",
  },
  bound("one file of 1 KB out of everything", [runName("agent", "all", "one"), "seconds"], 1, "s"),
  bound("and read for it", [runName("agent", "all", "one"), "readBytes"], 16e6, "bytes"),
  ...SETS.flatMap((set) =>
    (["backup", "restore"] as const).map((act) =>
      bound(
        `${act} of ${set} files, the larger process`,
        [runName("agent", set, act), "peakMib"],
        RESIDENT_MIB_MAX,
        "MiB",
      )
    )
  ),
];

export const MILLION_GOALS: readonly BackupGoal[] = [
  bound("server", [MILLION, "serverMib"], RESIDENT_MIB_MAX, "MiB"),
  bound("client", [MILLION, "clientMib"], RESIDENT_MIB_MAX, "MiB"),
  bound("catalog, per file", [MILLION, "catalogBytesPerFile"], 200, "bytes"),
  bound("catalog, growth by unchanged files", [MILLION, "catalogGrowthBytes"], 65_536, "bytes"),
  bound("`ls` of a directory of 1000", [MILLION, "lsMs"], 100, "ms"),
];

function speed(act: "backup" | "restore", set: SetName, peer: PeerName, least: number): BackupGoal {
  return {
    what: `${act} of ${set} files, agent to ${peer === "tar" ? "tar and zstd -3" : peer}`,
    of: [runName("agent", set, act), "bytesPerSecond"],
    by: [runName(peer, set, act), "bytesPerSecond"],
    least,
    unit: "x",
  };
}

function bound(
  what: string,
  of: readonly [string, BackupFigure],
  most: number,
  unit: string,
): BackupGoal {
  return { what, of, by: null, most, unit };
}
