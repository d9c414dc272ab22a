// The part of the composition root that lays out a storage transport group. On raw volumes it asks
// first who uses them, which nothing overrides, and what is on them, which `--force` does.

import { destageArray } from "../emulator/mod.ts";
import {
  formatStg,
  readSignatures,
  refuseSignatures,
  refuseUsedDevice,
  type Runtime,
  type Signature,
  type Volume,
  wipeSignatures,
} from "../transport/mod.ts";
import type { FormatReport } from "./cli/mod.ts";
import { arrayParts, openVolumes } from "./compose.ts";
import type { StgConfig } from "./config/mod.ts";
import { sourceOf, timingOf } from "./stg/mod.ts";

/** @throws AgentError `busy` (a volume is in use or carries data), `usage`, `no_space`, `volume` */
export async function formatGroup(
  runtime: Runtime,
  stg: StgConfig,
  { force }: { readonly force: boolean },
): Promise<FormatReport> {
  const source = sourceOf(stg);
  if (source.kind === "raw") {
    for (const path of source.paths) refuseUsedDevice(runtime.files, path);
  }
  const { volumes, close } = await openVolumes(runtime, source, "agent");
  try {
    const found = source.kind === "raw" ? await foundOn(volumes) : [];
    if (!force) { for (const { volume, before } of found) refuseSignatures(volume, before); }
    const { random, clock } = runtime;
    const options = { name: stg.name, volumes, random, force, clock, timing: timingOf(stg) };
    // A new array holds what its maker wrote; a device or a file may be somebody's.
    const identity = await formatStg({ ...options, refuseForeign: source.kind === "raw" });
    for (const { volume, before } of found) await wipeSignatures(volume, before);
    // Superblocks and host table must outlive the power of the cache.
    if (source.kind === "array") destageArray(source.directory, arrayParts(runtime));
    return { stg: identity.name, uuid: identity.uuid, volumes: stg.volumes };
  } finally {
    await close();
  }
}

/** What each volume carries before the format. */
async function foundOn(
  volumes: readonly Volume[],
): Promise<{ volume: Volume; before: Signature[] }[]> {
  const found: { volume: Volume; before: Signature[] }[] = [];
  for (const volume of volumes) found.push({ volume, before: await readSignatures(volume) });
  return found;
}
