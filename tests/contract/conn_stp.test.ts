// The stream contract over storage sockets: on volumes in memory, synchronous and asynchronous,
// and on the emulated array with one volume and with two.

import { currentRuntime } from "../../transport/runtime/mod.ts";
import { openMemoryBed } from "../unit/transport/stp/stp_bed.ts";
import { arrayBed } from "./array_conn_bed.ts";
import type { Bed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";
import {
  bedOn,
  CONN_FORMAT,
  CONN_IN_FLIGHT_BYTES,
  CONN_TIMING,
  volumeBytes,
} from "./stp_conn_bed.ts";

const { clock, random } = await currentRuntime();

async function memoryBed(volumeCount: number, asynchronous: boolean): Promise<Bed> {
  const bed = await openMemoryBed({
    clock,
    random,
    volumeCount,
    asynchronous,
    volumeBytes: volumeBytes(volumeCount),
    format: CONN_FORMAT,
    timing: CONN_TIMING,
  });
  return bedOn(bed, () => Promise.resolve());
}

const OPTIONS = { inFlightBytes: CONN_IN_FLIGHT_BYTES };
describeConnConformance("STP in memory", () => memoryBed(1, false), OPTIONS);
describeConnConformance("STP in memory, asynchronous", () => memoryBed(2, true), OPTIONS);
describeConnConformance("STP on an array of one volume", () => arrayBed(1), OPTIONS);
describeConnConformance("STP on an array of two volumes", () => arrayBed(2), OPTIONS);
