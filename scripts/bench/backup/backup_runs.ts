// Everything that one round of the backup benchmark runs, in this order.

import { type BackupBed, sizeOf } from "./backup_bed.ts";
import { type BackupFigures, type PeerName, runName, type SetName } from "./backup_figures.ts";
import { measureCommand } from "./measure_command.ts";
import { measureOneFile } from "./one_file.ts";

/** All that stat tells, as an incremental backup has to look at it. */
const STAT_FORMAT = "%p %y %m %U %G %s %b %n %i %D %T@ %C@ %A@\\n";

export interface BackupRun {
  readonly name: string;
  run(): Promise<BackupFigures>;
}

/** @param peers those that take part */
export function backupRuns(bed: BackupBed, peers: readonly PeerName[]): readonly BackupRun[] {
  const runs: BackupRun[] = [];
  for (const set of bed.sets) {
    for (const peer of peers) {
      runs.push(...peerRuns(bed, peer, set));
      if (peer !== "agent") continue;
      if (set === "small") runs.push(...unchangedRuns(bed));
      if (set === bed.sets.at(-1)) runs.push(...oneFileRuns(bed));
    }
  }
  return runs;
}

function peerRuns(bed: BackupBed, name: PeerName, set: SetName): BackupRun[] {
  const peer = bed.peer(name);
  const backup = async () => {
    if (name !== "agent") {
      bed.drop(peer.archive);
      await peer.prepare();
    }
    await bed.readIn(set);
    await bed.settle(set);
    if (bed.isCold) await bed.dropCaches();
    const cost = await peer.backUp(bed.source(set));
    const { bytes } = sizeOf(bed.source(set));
    const storedBytes = sizeOf(peer.archive).bytes;
    return { ...cost, bytesPerSecond: bytes / cost.seconds, storedBytes };
  };
  const restore = async () => {
    const target = bed.makeTarget();
    await bed.settle(set);
    const cost = await peer.restore(target);
    const [found, wanted] = [sizeOf(target), sizeOf(bed.source(set))];
    if (found.files !== wanted.files || found.bytes !== wanted.bytes) {
      throw new Error(`${name} restored ${found.files} files of ${found.bytes} bytes`);
    }
    if (name !== "agent") bed.drop(peer.archive);
    return { ...cost, bytesPerSecond: wanted.bytes / cost.seconds };
  };
  return [
    { name: runName(name, set, "backup"), run: backup },
    { name: runName(name, set, "restore"), run: restore },
  ];
}

/** An incremental backup in which nothing changed, against a look at everything. */
function unchangedRuns(bed: BackupBed): BackupRun[] {
  const source = bed.source("small");
  const find = ["sh", "-c", 'find "$1" -printf "$2" > /dev/null', "sh", source, STAT_FORMAT];
  return [
    { name: runName("find", "small", "again"), run: () => measureCommand(bed.folder, find) },
    { name: runName("agent", "small", "again"), run: () => bed.agent.backUpAgain(source) },
  ];
}

/** One small file out of a backup of everything. */
function oneFileRuns(bed: BackupBed): BackupRun[] {
  if (!bed.sets.includes("small")) return [];
  const one = async () => (await measureOneFile(bed, 1))[0] ?? {};
  return [{ name: runName("agent", "all", "one"), run: one }];
}
