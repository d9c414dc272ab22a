// The volume contract over raw volumes: a file with direct I/O, and block devices with logical
// blocks of 512 and of 4096 bytes. Each handle has a queue of its own, as two processes have.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRawVolumes } from "../../transport/raw/mod.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import type { Volume } from "../../transport/volume.ts";
import { describeOnLoop, LoopDevice } from "../unit/transport/raw/loop_device.ts";
import { describeVolume, LEAST_VOLUME_BYTES, type VolumeMedium } from "./volume_conformance.ts";

const runtime = await currentRuntime();

async function openRaw(path: string): Promise<Volume> {
  const [volume] = await openRawVolumes([path], runtime);
  if (volume === undefined) throw new Error("one path is one volume");
  return volume;
}

function fileMedium(): Promise<VolumeMedium> {
  const folder = mkdtempSync(join(tmpdir(), "raw-test-"));
  const path = join(folder, "lun");
  writeFileSync(path, "");
  // A piece of a block at the end does not count.
  truncateSync(path, LEAST_VOLUME_BYTES + 100);
  return Promise.resolve({
    open: () => openRaw(path),
    dispose: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  });
}

function loopMedium(sectorBytes: 512 | 4096): Promise<VolumeMedium> {
  const device = new LoopDevice({ sizeBytes: LEAST_VOLUME_BYTES, sectorBytes });
  return Promise.resolve({
    open: () => openRaw(device.path),
    dispose: () => Promise.resolve(device[Symbol.dispose]()),
  });
}

describeVolume("raw file", fileMedium);
describeOnLoop("raw devices", () => {
  describeVolume("raw device, blocks of 512 bytes", () => loopMedium(512));
  describeVolume("raw device, blocks of 4096 bytes", () => loopMedium(4096));
});
