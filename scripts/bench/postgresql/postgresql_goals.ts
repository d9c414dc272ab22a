// What backups of PostgreSQL have to reach. Pure.

import type { Goal } from "../goals.ts";

export type PostgresFigure =
  | "seconds"
  | "cpuSeconds"
  | "speed"
  | "segments"
  | "most"
  | "left"
  /** Segments that `wal get` fetches in a second, one after the other. */
  | "fetched";

export const POSTGRES_PEERS = ["agent", "pg_basebackup", "pgbackrest"] as const;
export type PostgresPeer = typeof POSTGRES_PEERS[number];

export const POSTGRES_GOALS: readonly Goal<PostgresFigure>[] = [
  {
    what: "base backup, agent to pg_basebackup | zstd",
    of: ["agent", "speed"],
    by: ["pg_basebackup", "speed"],
    least: 0.9,
    unit: "x",
  },
  {
    what: "base backup, agent to pgBackRest with one process",
    of: ["agent", "speed"],
    by: ["pgbackrest", "speed"],
    least: 1,
    unit: "x",
  },
  {
    what: "segments that wait at the end of pgbench's run",
    of: ["wal", "left"],
    by: null,
    most: 3,
    unit: "",
  },
];
