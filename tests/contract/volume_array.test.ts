// The volume contract over the emulated array: with room for everything, with four slots for all,
// and with the handles on two attachments, as two processes have them.

import { attachArray, createArray } from "../../emulator/mod.ts";
import type { Volume } from "../../transport/volume.ts";
import { temporaryArray } from "../unit/emulator/temporary_array.ts";
import { describeVolume, LEAST_VOLUME_BYTES, type VolumeMedium } from "./volume_conformance.ts";

async function arrayMedium(cacheBytes: number): Promise<VolumeMedium> {
  const { path, parts, dispose } = await temporaryArray();
  const options = { volumes: 2, volumeBytes: LEAST_VOLUME_BYTES, cacheBytes, memory: "memory" };
  createArray(path, options, parts);
  const hosts = ["one", "two"].map((hostName) => attachArray(path, { hostName }, parts));
  let opened = 0;
  return {
    open(): Promise<Volume> {
      const host = hosts[opened++ % hosts.length];
      if (host === undefined) throw new Error("two hosts are attached");
      return Promise.resolve(host.volume("v1"));
    },
    dispose(): Promise<void> {
      for (const host of hosts) host.close();
      return dispose();
    },
  };
}

describeVolume("array", () => arrayMedium(8 * 2 ** 20));
describeVolume("array with four slots", () => arrayMedium(4 * 65536));
