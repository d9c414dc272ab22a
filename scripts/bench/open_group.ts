// A benchmark's group as one process has it open: the volumes of the array or of the loop device.

import type { BenchHostOptions } from "../../agent/bench/mod.ts";
import { openVolumes } from "../../agent/compose.ts";
import { sourceOf, timingOf } from "../../agent/stg/mod.ts";
import { ProcProcessTable } from "../../transport/runtime/mod.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import type { PeerTask } from "./peer_task.ts";

export interface OpenedGroup {
  readonly host: Omit<BenchHostOptions, "endpoints" | "hostName">;
  close(): void;
}

export async function openGroup(
  runtime: Runtime,
  { stg, side }: Pick<PeerTask, "stg" | "side">,
): Promise<OpenedGroup> {
  if (stg === null) throw new Error("a storage run has a group");
  const { clock, random, files, process } = runtime;
  const opened = await openVolumes(runtime, sourceOf(stg), side);
  const { volumes } = opened;
  const { name, host: ownHost } = stg;
  const processes = new ProcProcessTable(files, process.pid);
  return {
    host: { name, volumes, timing: timingOf(stg), clock, random, processes, ownHost },
    close: () => opened.close(),
  };
}
