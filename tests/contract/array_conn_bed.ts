// A bed of the stream contract over storage sockets on an emulated array, whose faults a test can
// switch on and off.

import {
  addFault,
  attachArray,
  clearFaults,
  createArray,
  type FaultFields,
} from "../../emulator/mod.ts";
import type { StpTiming } from "../../transport/stp/mod.ts";
import { temporaryArray } from "../unit/emulator/temporary_array.ts";
import { openStpBed } from "../unit/transport/stp/stp_bed.ts";
import type { Bed } from "./conn_bed.ts";
import { bedOn, CONN_FORMAT, CONN_TIMING, volumeBytes } from "./stp_conn_bed.ts";

export interface ArrayBed extends Bed {
  addFault(fields: FaultFields): void;
  clearFaults(): void;
}

export async function arrayBed(
  volumeCount: number,
  changes: Partial<StpTiming> = {},
): Promise<ArrayBed> {
  const { path, parts, dispose } = await temporaryArray();
  createArray(path, { volumes: volumeCount, volumeBytes: volumeBytes(volumeCount) }, parts);
  const arrays = ["one", "two"].map((hostName) => attachArray(path, { hostName }, parts));
  const names = Array.from({ length: volumeCount }, (_, index) => `v${index}`);
  const [first, second] = arrays.map((array) => names.map((name) => array.volume(name)));
  const volumes = [first ?? [], second ?? []] as const;
  const { clock, random } = parts;
  const times = { format: CONN_FORMAT, timing: { ...CONN_TIMING, ...changes } };
  const bed = await openStpBed({ clock, random, volumes, ...times });
  const made = bedOn(bed, async () => {
    for (const array of arrays) array.close();
    await dispose();
  });
  return {
    ...made,
    addFault: (fields) => void addFault(path, fields, parts),
    clearFaults: () => void clearFaults(path, null, parts),
  };
}
