// Codec of page 0 of a memory board's file. No I/O. Little-endian, the rest of the page zero:
//
//   offset bytes field
//        0     8 magic "AGTBOARD"     another kind of file
//        8     4 version, 2           tables laid out by another program version
//       12     4 origin               0: made with the array, 1: replaces a board that was lost
//       16    16 array uuid           a board of another array
//       32     4 board index          two boards swapped
//       36     4 boards               )
//       40     4 slots                ) a layout that is not this array's:
//       44     4 cylinders            ) offsets would point elsewhere
//       48     4 devices              )
//       52     8 total bytes          a file that was cut or extended
//       60     4 CRC-32 of 0..60      a header that is itself damaged

import { crc32 } from "../transport/ground/crc32.ts";
import { AgentError } from "../transport/ground/error.ts";
import type { BoardLayout } from "./board_layout.ts";
import { RECORD_BYTES } from "./limits.ts";
import { bytesToUuid, uuidToBytes } from "./uuid.ts";

export const BOARD_HEADER_BYTES = RECORD_BYTES;
export const BOARD_VERSION = 2;

const MAGIC = new TextEncoder().encode("AGTBOARD");
const CHECKSUM_OFFSET = 60;

/** How a board came to be: with the array, or in place of one that had vanished. */
export type BoardOrigin = "created" | "replaced";

export interface BoardIdentity {
  readonly uuid: string;
  readonly layout: BoardLayout;
}

export function encodeBoardHeader(identity: BoardIdentity, origin: BoardOrigin): Uint8Array {
  const { layout } = identity;
  const bytes = new Uint8Array(BOARD_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, BOARD_VERSION, true);
  view.setUint32(12, origin === "created" ? 0 : 1, true);
  bytes.set(uuidToBytes(identity.uuid), 16);
  view.setUint32(32, layout.board, true);
  view.setUint32(36, layout.boards, true);
  view.setUint32(40, layout.slots, true);
  view.setUint32(44, layout.cylinders, true);
  view.setUint32(48, layout.devices, true);
  view.setBigUint64(52, BigInt(layout.totalBytes), true);
  view.setUint32(CHECKSUM_OFFSET, crc32(bytes.subarray(0, CHECKSUM_OFFSET)), true);
  return bytes;
}

/**
 * Checks that a header is the one that this array's board must have.
 * @param path names the file in errors
 * @throws AgentError `damaged` | `unsupported` | `mismatch` (a board of another array or layout)
 */
export function checkBoardHeader(
  bytes: Uint8Array,
  identity: BoardIdentity,
  path: string,
): BoardOrigin {
  if (bytes.length !== BOARD_HEADER_BYTES) {
    throw refuse("damaged", path, `${bytes.length} bytes of header`, `${BOARD_HEADER_BYTES}`);
  }
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw refuse("damaged", path, "another kind of file", 'a file that begins with "AGTBOARD"');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version !== BOARD_VERSION) {
    throw refuse("unsupported", path, `version ${version}`, `${BOARD_VERSION}`);
  }
  const found = view.getUint32(CHECKSUM_OFFSET, true);
  const wanted = crc32(bytes.subarray(0, CHECKSUM_OFFSET));
  if (found !== wanted) throw refuse("damaged", path, `header checksum ${found}`, `${wanted}`);
  if (bytes.subarray(CHECKSUM_OFFSET + 4).some((byte) => byte !== 0)) {
    throw refuse("damaged", path, "bytes behind the header", "zeros");
  }
  const uuid = bytesToUuid(bytes.subarray(16, 32));
  if (uuid !== identity.uuid) {
    throw refuse("mismatch", path, `a board of array ${uuid}`, `array ${identity.uuid}`);
  }
  checkLayout(view, identity.layout, path);
  return view.getUint32(12, true) === 0 ? "created" : "replaced";
}

function checkLayout(view: DataView, layout: BoardLayout, path: string): void {
  const fields: readonly (readonly [string, number, number])[] = [
    ["board index", view.getUint32(32, true), layout.board],
    ["boards", view.getUint32(36, true), layout.boards],
    ["slots", view.getUint32(40, true), layout.slots],
    ["cylinders", view.getUint32(44, true), layout.cylinders],
    ["devices", view.getUint32(48, true), layout.devices],
    ["total bytes", Number(view.getBigUint64(52, true)), layout.totalBytes],
  ];
  for (const [name, found, wanted] of fields) {
    if (found !== wanted) throw refuse("mismatch", path, `${name} ${found}`, `${wanted}`);
  }
}

function refuse(
  code: "damaged" | "unsupported" | "mismatch",
  path: string,
  found: string,
  wanted: string,
): AgentError {
  return new AgentError(code, `Cannot open memory board "${path}": ${found}, need ${wanted}`, {
    hint:
      "Move the file away: the array makes an empty board in its place when nobody is attached.",
  });
}
