// The stream contract over storage sockets on raw volumes: a file with direct I/O, one block device
// with logical blocks of 512 bytes, and two with 4096. Each host has its own handles and queue.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRawVolumes } from "../../transport/raw/mod.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { describeOnLoop, LoopDevice } from "../unit/transport/raw/loop_device.ts";
import { openStpBed } from "../unit/transport/stp/stp_bed.ts";
import type { Bed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";
import {
  bedOn,
  CONN_FORMAT,
  CONN_IN_FLIGHT_BYTES,
  CONN_TIMING,
  volumeBytes,
} from "./stp_conn_bed.ts";

const runtime = await currentRuntime();
const { clock, random } = runtime;

async function rawBed(paths: readonly string[], dispose: () => void): Promise<Bed> {
  const hosts = [await openRawVolumes(paths, runtime), await openRawVolumes(paths, runtime)];
  const volumes = [hosts[0] ?? [], hosts[1] ?? []] as const;
  const bed = await openStpBed({
    clock,
    random,
    volumes,
    format: CONN_FORMAT,
    timing: CONN_TIMING,
  });
  return bedOn(bed, () => {
    for (const volume of hosts.flat()) volume.close();
    dispose();
    return Promise.resolve();
  });
}

function fileBed(): Promise<Bed> {
  const folder = mkdtempSync(join(tmpdir(), "raw-test-"));
  const path = join(folder, "lun");
  writeFileSync(path, "");
  truncateSync(path, volumeBytes(1));
  return rawBed([path], () => rmSync(folder, { recursive: true, force: true }));
}

function loopBed(sectorBytes: 512 | 4096, count: number): Promise<Bed> {
  const sizeBytes = volumeBytes(count);
  const devices = Array.from({ length: count }, () => new LoopDevice({ sizeBytes, sectorBytes }));
  return rawBed(devices.map(({ path }) => path), () => {
    for (const device of devices) device[Symbol.dispose]();
  });
}

const OPTIONS = { inFlightBytes: CONN_IN_FLIGHT_BYTES };
describeConnConformance("STP on a raw file", fileBed, OPTIONS);
describeOnLoop("raw devices", () => {
  describeConnConformance("STP on a raw device, 512 bytes", () => loopBed(512, 1), OPTIONS);
  describeConnConformance("STP on two raw devices, 4096 bytes", () => loopBed(4096, 2), OPTIONS);
});
