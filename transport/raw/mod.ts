// Door of raw volumes.

export { findUse, refuseUsedDevice } from "./device_use.ts";
export { readSignatures, refuseSignatures, wipeSignatures } from "./format_guard.ts";
export { findSignatures, type MediumEnds, type Signature } from "./medium_signature.ts";
export { openRawVolumes, type RawParts } from "./open_raw_volumes.ts";
export { type RawMedium, RawVolume } from "./raw_volume.ts";
