// The stream contract over storage sockets: on volumes in memory, synchronous and asynchronous,
// and on the emulated array with one volume, with two, and with faults.

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

/** Faults that the protocol puts right, each in one of 200 accesses. */
const SEED = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
const HEALED = ["lost", "torn", "stale", "flip"] as const;

async function faultyBed(): Promise<Bed> {
  // A block that was lost is written again well before `close` gives up.
  const bed = await arrayBed(2, { watchMs: 100, lingerMs: 2000 });
  for (const kind of HEALED) bed.addFault({ kind, probability: 0.005, seed: SEED });
  return bed;
}

const OPTIONS = { inFlightBytes: CONN_IN_FLIGHT_BYTES };
describeConnConformance("STP in memory", () => memoryBed(1, false), OPTIONS);
describeConnConformance("STP in memory, asynchronous", () => memoryBed(2, true), OPTIONS);
describeConnConformance("STP on an array of one volume", () => arrayBed(1), OPTIONS);
describeConnConformance("STP on an array of two volumes", () => arrayBed(2), OPTIONS);
describeConnConformance(`STP on an array with faults of seed ${SEED}`, faultyBed, OPTIONS);
