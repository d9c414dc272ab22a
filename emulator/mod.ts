// Door of the array: an integrated cache disk array (Fig. 2) over files, shared by processes.
//
// The array does not know what rides on its volumes. Files, shared memory, clock and randomness
// are handed in (ArrayParts).

export type { ArrayParts } from "./array_directory.ts";
export type { DeviceMap, MapBin } from "./array_map.ts";
export {
  arrayMap,
  type ArrayStatus,
  arrayStatus,
  type BoardStatus,
  type DeviceStatus,
  type HostStatus,
} from "./array_status.ts";
export {
  attachArray,
  AttachedArray,
  type AttachmentCounters,
  type AttachOptions,
} from "./attach_array.ts";
export { type ArrayFinding, checkArray } from "./check_array.ts";
export { createArray, type CreateArrayOptions } from "./create_array.ts";
export { destageArray } from "./destage_array.ts";
export {
  addFault,
  applyFaults,
  clearFaults,
  type FaultStatus,
  listFaults,
} from "./fault_control.ts";
export type { FaultFields } from "./fault_rule.ts";
export type { ArrayGeometry, DeviceGeometry } from "./geometry.ts";
export type { LostRun } from "./lost_records.ts";
export { failPower } from "./power_failure.ts";
export { type ArrayRepair, repairArray, type RepairOptions } from "./repair_array.ts";
export { removeArray } from "./remove_array.ts";
