// The host block: one per host id, on every volume, written only by the host that claimed the id.
// It guards against two processes with one id (claim), a peer that died (heartbeat), and one that
// died and came back (generation).
//
//   0    8   magic "STPHOST1"
//   8    4   format version
//   12   4   host id
//   16   16  uuid of the group
//   32   4   state: 0 detached, 1 attached
//   36   4   generation: larger at each claim of the id
//   40   8   claim: random, tells two claimers of one generation apart
//   48   8   heartbeat: grows by one each interval
//   56   4   dead time in ms
//   64   4   length of the name, then 64 bytes of it (68 .. 131)
//   132  4   process number of the holder
//   136  16  its machine: hash of the kernel's boot and of the process namespace; zero: not known
//   152  8   its start, in clock ticks since the boot
//   508  4   CRC-32 of bytes 0 .. 507

import type { ProcessIdentity } from "../runtime/process_table.ts";
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

const MAGIC = magicBytes("STPHOST1");
const NO_MACHINE = "0".repeat(32);

export interface HostBlock {
  readonly hostId: number;
  readonly stgUuid: string;
  readonly attached: boolean;
  readonly generation: number;
  /** 16 hexadecimal digits. */
  readonly claim: string;
  readonly heartbeat: number;
  readonly deadMs: number;
  readonly name: string;
  /** Which process holds the id: on its own machine one can see that it is gone. */
  readonly process: ProcessIdentity | null;
}

export function encodeHostBlock(host: HostBlock): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const view = viewOf(block);
  view.setUint32(12, host.hostId, true);
  writeUuid(block, 16, host.stgUuid);
  view.setUint32(32, host.attached ? 1 : 0, true);
  view.setUint32(36, host.generation, true);
  view.setBigUint64(40, BigInt(`0x${host.claim}`), true);
  writeU64(view, 48, host.heartbeat);
  view.setUint32(56, host.deadMs, true);
  writeText(block, 64, NAME_BYTES_MAX, host.name);
  view.setUint32(132, host.process?.pid ?? 0, true);
  writeUuid(block, 136, host.process?.machine ?? NO_MACHINE);
  writeU64(view, 152, host.process?.startTicks ?? 0);
  sealRecord(block, view, MAGIC);
  return block;
}

/** The block of `hostId`, or why it is none. A block of another group counts as empty. */
export function decodeHostBlock(
  block: Uint8Array,
  expected: { readonly hostId: number; readonly stgUuid: string },
): HostBlock | Exclude<RecordState, "ok"> {
  const view = viewOf(block);
  const state = checkRecord(block, view, MAGIC);
  if (state !== "ok") return state;
  const stgUuid = readUuid(block, 16);
  if (stgUuid !== expected.stgUuid) return "empty";
  const name = readText(block, 64, NAME_BYTES_MAX);
  const heartbeat = readU64(view, 48);
  const hostId = view.getUint32(12, true);
  if (name === null || Number.isNaN(heartbeat) || hostId !== expected.hostId) return "damaged";
  return {
    hostId,
    stgUuid,
    attached: view.getUint32(32, true) === 1,
    generation: view.getUint32(36, true),
    claim: view.getBigUint64(40, true).toString(16).padStart(16, "0"),
    heartbeat,
    deadMs: view.getUint32(56, true),
    name,
    process: readProcess(block, view),
  };
}

function readProcess(block: Uint8Array, view: DataView): ProcessIdentity | null {
  const machine = readUuid(block, 136).replaceAll("-", "");
  const startTicks = readU64(view, 152);
  if (machine === NO_MACHINE || Number.isNaN(startTicks)) return null;
  return { machine, pid: view.getUint32(132, true), startTicks };
}
