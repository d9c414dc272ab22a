// The part of the composition root for commands that need no daemon: arrays and the format of
// storage transport groups.

import {
  addFault,
  applyFaults,
  arrayMap,
  type ArrayStatus,
  arrayStatus,
  checkArray,
  clearFaults,
  createArray,
  destageArray,
  failPower,
  growArray,
  listFaults,
  removeArray,
  repairArray,
} from "../emulator/mod.ts";
import {
  decodeHex,
  ProcProcessTable,
  readStgIdentity,
  readStgStatus,
  type Runtime,
  type Volume,
} from "../transport/mod.ts";
import { runBenchPeer, runStgBench } from "./bench/mod.ts";
import type { OfflineOperations } from "./cli/mod.ts";
import { arrayParts, openVolumes } from "./compose.ts";
import { formatGroup } from "./compose_format.ts";
import type { StgConfig } from "./config/mod.ts";
import type { ArrayView } from "./control/mod.ts";
import { type OpenVolumes, sourceOf, stgView, timingOf } from "./stg/mod.ts";

/** @param entryUrl URL of the program's entry module: some operations start a second process */
export function offlineOperations(runtime: Runtime, entryUrl: string): OfflineOperations {
  const parts = arrayParts(runtime);
  return {
    arrayCreate: ({ directory, volumes, volumeBytes, boards, cacheBytes }) => {
      createArray(directory, {
        volumes,
        volumeBytes,
        ...(boards === null ? {} : { boards }),
        ...(cacheBytes === null ? {} : { cacheBytes }),
      }, parts);
      return toReport(directory, arrayStatus(directory, parts));
    },
    arrayStatus: (directory) => toReport(directory, arrayStatus(directory, parts)),
    arrayMap: (directory) => arrayMap(directory, parts),
    arrayCheck: (directory) => checkArray(directory, parts),
    arrayDestage: (directory) => destageArray(directory, parts),
    arrayRepair: (directory, options) => repairArray(directory, options, parts),
    arrayGrow: ({ directory, volume, add, sizeBytes }) => {
      growArray(
        directory,
        { volume: volume ?? undefined, add: add ?? undefined, sizeBytes },
        parts,
      );
      return toReport(directory, arrayStatus(directory, parts));
    },
    arrayPowerFail: (directory) => failPower(directory, parts),
    arrayRemove: (directory) => removeArray(directory, parts),
    arrayFaultAdd: (directory, fields) => addFault(directory, fields, parts),
    arrayFaultList: (directory) => listFaults(directory, parts),
    arrayFaultClear: (directory, id) => ({ rules: clearFaults(directory, id, parts) }),
    arrayFaultApply: (directory) => ({ rules: applyFaults(directory, parts) }),
    stgFormat: (stg, options) => formatGroup(runtime, stg, options),
    stgStatus: (stg) =>
      withVolumes(runtime, stg, async ({ volumes }) => {
        const identity = await readStgIdentity({ name: stg.name, volumes });
        const status = await readStgStatus(identity, volumes, runtime.clock, timingOf(stg));
        return stgView({ config: stg, uuid: identity.uuid, reason: null, status });
      }),
    stgBench: (stg, { second, ...options }) =>
      withVolumes(runtime, stg, ({ volumes }) =>
        runStgBench(runtime, {
          ...options,
          encrypt: stg.encrypt,
          host: benchHost(runtime, stg, volumes),
          command: (token) => [...runtime.process.command(entryUrl), ...second(token)],
        })),
    stgBenchSecond: (stg, { token, signal }) =>
      withVolumes(runtime, stg, ({ volumes }) =>
        runBenchPeer(runtime, {
          host: benchHost(runtime, stg, volumes),
          token: decodeHex(token),
          connections: 1,
          encrypt: stg.encrypt,
          signal,
        })),
  };
}

function benchHost(runtime: Runtime, stg: StgConfig, volumes: readonly Volume[]) {
  const { clock, random, files, process } = runtime;
  const { name, host: ownHost } = stg;
  const processes = new ProcProcessTable(files, process.pid);
  return { name, volumes, timing: timingOf(stg), clock, random, processes, ownHost };
}

async function withVolumes<T>(
  runtime: Runtime,
  stg: StgConfig,
  use: (opened: OpenVolumes) => Promise<T>,
): Promise<T> {
  const opened = await openVolumes(runtime, sourceOf(stg), "agent");
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

function toReport(directory: string, status: ArrayStatus): ArrayView {
  return { ...status, directory };
}
