// Door of raw volumes.

export { openRawVolumes, type RawParts } from "./open_raw_volumes.ts";
export { type RawMedium, RawVolume } from "./raw_volume.ts";
