// The superblock: block 0 of every volume of a group. It guards against a volume of another
// group, in another place, of another format, or of none at all.
//
//   0    8   magic "STPSUPER"
//   8    4   format version
//   12   4   index i of this volume
//   16   16  uuid of the group
//   32   16  uuid of this volume
//   48   4   count n of volumes
//   52   4   bytes of a block
//   56   4   hosts
//   60   4   endpoints per host
//   64   4   slots per volume in an endpoint's ring
//   68   4   payload bytes of a slot
//   72   4   length of the name, then 64 bytes of it (76 .. 139)
//   144  8   bytes of the volume that the layout takes
//   160  16n uuids of all volumes, in order
//   508  4   CRC-32 of bytes 0 .. 507
//
// Invariant: decoded numbers were checked; a layout that decodes is sound.

import {
  checkRecord,
  magicBytes,
  readText,
  readU64,
  readUuid,
  type RecordState,
  sealRecord,
  viewOf,
  writeText,
  writeU64,
  writeUuid,
} from "./block_fields.ts";
import { BLOCK_BYTES, NAME_BYTES_MAX } from "./limits.ts";
import { layoutBytes, layoutIsSound, type StgLayout } from "./stg_layout.ts";

const MAGIC = magicBytes("STPSUPER");

export interface Superblock {
  readonly stgUuid: string;
  readonly stgName: string;
  readonly volumeIndex: number;
  readonly volumeUuids: readonly string[];
  readonly layout: StgLayout;
}

export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const view = viewOf(block);
  const { layout, volumeUuids, volumeIndex } = superblock;
  view.setUint32(12, volumeIndex, true);
  writeUuid(block, 16, superblock.stgUuid);
  writeUuid(block, 32, volumeUuids[volumeIndex] ?? "");
  view.setUint32(48, layout.volumeCount, true);
  view.setUint32(52, BLOCK_BYTES, true);
  view.setUint32(56, layout.maxHosts, true);
  view.setUint32(60, layout.endpointsPerHost, true);
  view.setUint32(64, layout.slotsPerVolume, true);
  view.setUint32(68, layout.payloadBytes, true);
  writeText(block, 72, NAME_BYTES_MAX, superblock.stgName);
  writeU64(view, 144, layoutBytes(layout));
  volumeUuids.forEach((uuid, index) => writeUuid(block, 160 + 16 * index, uuid));
  sealRecord(block, view, MAGIC);
  return block;
}

/** What stands in block 0: a superblock, or why it is none. */
export function decodeSuperblock(block: Uint8Array): Superblock | Exclude<RecordState, "ok"> {
  const view = viewOf(block);
  const state = checkRecord(block, view, MAGIC);
  if (state !== "ok") return state;
  const layout: StgLayout = {
    volumeCount: view.getUint32(48, true),
    maxHosts: view.getUint32(56, true),
    endpointsPerHost: view.getUint32(60, true),
    slotsPerVolume: view.getUint32(64, true),
    payloadBytes: view.getUint32(68, true),
  };
  const volumeIndex = view.getUint32(12, true);
  const stgName = readText(block, 72, NAME_BYTES_MAX);
  if (!layoutIsSound(layout) || view.getUint32(52, true) !== BLOCK_BYTES) return "damaged";
  if (stgName === null || volumeIndex >= layout.volumeCount) return "damaged";
  if (readU64(view, 144) !== layoutBytes(layout)) return "damaged";
  const volumeUuids = Array.from(
    { length: layout.volumeCount },
    (_, index) => readUuid(block, 160 + 16 * index),
  );
  if (readUuid(block, 32) !== volumeUuids[volumeIndex]) return "damaged";
  return { stgUuid: readUuid(block, 16), stgName, volumeIndex, volumeUuids, layout };
}
