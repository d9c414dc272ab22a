// What the backup benchmark measures, and how its contestants are named.

import type { Cost } from "./measure_command.ts";

export type PeerName = "agent" | "tar" | "restic" | "borg";
export const PEERS: readonly PeerName[] = ["agent", "tar", "restic", "borg"];

/** The small files, the large ones; "all" is one backup of both. */
export type SetName = "small" | "large" | "all";

export type Act = "backup" | "restore" | "again" | "one";

export interface BackupFigures extends Partial<Cost> {
  readonly bytesPerSecond?: number;
  /** What the archive takes on the disk. */
  readonly storedBytes?: number;
  /** What the agent's server read. */
  readonly readBytes?: number;
  /** Peaks of the agent's two processes. */
  readonly clientMib?: number;
  readonly serverMib?: number;
  readonly catalogBytesPerFile?: number;
  readonly catalogGrowthBytes?: number;
  readonly lsMs?: number;
}

/** Name of a contestant: who does what with which data. */
export function runName(peer: PeerName | "find", set: SetName, act: Act): string {
  return `${peer} ${set} ${act}`;
}
