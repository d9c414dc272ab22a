// Layout of a row of the host table: a file with what one attached host did. Pure. Little-endian:
//
//   offset bytes field
//        0     8 magic "AGTHOSTS"    another kind of file
//        8     4 version, 1          figures in other places
//       12     4 devices             figures of an array with other devices
//       16     4 process id
//       20     4 bytes of the name
//       24     4 CRC-32 of the page with this field 0: a row that was half written
//       32   224 name of the host, UTF-8
//     4096       figures (statistics.ts)

import { crc32 } from "../transport/ground/crc32.ts";
import { RECORD_BYTES } from "./limits.ts";

export const HOST_ROW_HEADER_BYTES = RECORD_BYTES;
export const HOST_ROW_VERSION = 1;

const MAGIC = new TextEncoder().encode("AGTHOSTS");
const CHECKSUM_OFFSET = 24;
const NAME_OFFSET = 32;
const NAME_BYTES = 224;

export interface HostRowHeader {
  readonly hostName: string;
  readonly pid: number;
  /** Count of the array's devices. */
  readonly devices: number;
}

export function encodeHostRow(header: HostRowHeader): Uint8Array {
  const bytes = new Uint8Array(HOST_ROW_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, HOST_ROW_VERSION, true);
  view.setUint32(12, header.devices, true);
  view.setUint32(16, header.pid, true);
  const place = bytes.subarray(NAME_OFFSET, NAME_OFFSET + NAME_BYTES);
  view.setUint32(20, new TextEncoder().encodeInto(header.hostName, place).written, true);
  view.setUint32(CHECKSUM_OFFSET, crc32(bytes), true);
  return bytes;
}

/** @returns null when it is no whole row of this version: figures are no reason to fail */
export function decodeHostRow(bytes: Uint8Array): HostRowHeader | null {
  if (bytes.length !== HOST_ROW_HEADER_BYTES) return null;
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) return null;
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  if (view.getUint32(8, true) !== HOST_ROW_VERSION) return null;
  const nameBytes = view.getUint32(20, true);
  const checksum = view.getUint32(CHECKSUM_OFFSET, true);
  view.setUint32(CHECKSUM_OFFSET, 0, true);
  if (crc32(copy) !== checksum || nameBytes > NAME_BYTES) return null;
  return {
    hostName: new TextDecoder().decode(copy.subarray(NAME_OFFSET, NAME_OFFSET + nameBytes)),
    pid: view.getUint32(16, true),
    devices: view.getUint32(12, true),
  };
}
