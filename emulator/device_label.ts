// Codec of the label that follows the data of every device file. No I/O.
//
// The label stands behind the last cylinder, so that the data begin at byte 0 and a truncated file
// has none. Little-endian, one record (4096 bytes), the rest zero:
//
//   offset bytes field
//        0     8 magic "AGTDEVIC"   another kind of file
//        8     4 version, 1         laid out by another program version
//       12     4 device index       two device files swapped
//       16    16 array uuid         a device file of another array
//       32     8 data bytes         a file that was cut or extended
//       40     4 CRC-32 of 0..40    a label that is itself damaged

import { crc32 } from "../transport/ground/crc32.ts";
import { AgentError } from "../transport/ground/error.ts";
import { RECORD_BYTES } from "./limits.ts";
import { bytesToUuid, uuidToBytes } from "./uuid.ts";

export const DEVICE_LABEL_BYTES = RECORD_BYTES;
export const DEVICE_LABEL_VERSION = 1;

const MAGIC = new TextEncoder().encode("AGTDEVIC");
const CHECKSUM_OFFSET = 40;

export interface DeviceLabel {
  readonly uuid: string;
  readonly index: number;
  readonly sizeBytes: number;
}

export function encodeDeviceLabel(label: DeviceLabel): Uint8Array {
  const bytes = new Uint8Array(DEVICE_LABEL_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, DEVICE_LABEL_VERSION, true);
  view.setUint32(12, label.index, true);
  bytes.set(uuidToBytes(label.uuid), 16);
  view.setBigUint64(32, BigInt(label.sizeBytes), true);
  view.setUint32(CHECKSUM_OFFSET, crc32(bytes.subarray(0, CHECKSUM_OFFSET)), true);
  return bytes;
}

/**
 * @param path names the file in errors
 * @throws AgentError `damaged` | `unsupported`
 */
export function decodeDeviceLabel(bytes: Uint8Array, path: string): DeviceLabel {
  if (bytes.length !== DEVICE_LABEL_BYTES) {
    throw damaged(path, `a label of ${bytes.length} bytes`, `${DEVICE_LABEL_BYTES}`);
  }
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw damaged(path, "no label behind the data", 'a label that begins with "AGTDEVIC"');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== DEVICE_LABEL_VERSION) {
    throw new AgentError(
      "unsupported",
      `Cannot open device "${path}": label version ${version}, need ${DEVICE_LABEL_VERSION}`,
      { hint: "Use the program version that created the array." },
    );
  }
  const found = view.getUint32(CHECKSUM_OFFSET, true);
  const wanted = crc32(bytes.subarray(0, CHECKSUM_OFFSET));
  if (found !== wanted) throw damaged(path, `label checksum ${found}`, `${wanted}`);
  return {
    uuid: bytesToUuid(bytes.subarray(16, 32)),
    index: view.getUint32(12, true),
    sizeBytes: Number(view.getBigUint64(32, true)),
  };
}

function damaged(path: string, found: string, wanted: string): AgentError {
  return new AgentError("damaged", `Cannot open device "${path}": ${found}, need ${wanted}`, {
    hint: "Put the array's own device file back; nothing was changed.",
  });
}
