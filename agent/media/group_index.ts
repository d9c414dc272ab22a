// The index of a group of frames: a skippable frame after the group that holds the index rows of
// its members, so that the catalog can be made again from the media alone.
//
//   offset    bytes
//   0         8     "LFAINDEX"
//   8         2     format version: 1 (a reader refuses what it does not know)
//   10        2     0
//   12        4     n: count of frames
//   16        8     sequence of the first frame (a lost or doubled group shows)
//   24        8     tar offset of the first frame
//   32        8     offset of the first frame in the file (a frame that moved shows)
//   40        4     r: row bytes of all frames
//   44        4     rows of all frames
//   48        20n   per frame: compressed bytes u32, tar bytes u32, row bytes u32, rows u32,
//                   CRC-32 u32 of the frame (a bit that zstd itself does not look at shows)
//   48+20n    r     the frames' rows as received (index_rows.ts), end to end
//   48+20n+r  4     CRC-32 of everything before
//
// All little-endian. Pure: no I/O.

import { crc32 } from "../../transport/ground/crc32.ts";
import { MAX_GROUP_FRAMES } from "./limits.ts";
import { damagedFrame, decodeSkippable, encodeSkippable } from "./skippable_frame.ts";

const MAGIC = new TextEncoder().encode("LFAINDEX");
const VERSION = 1;
const HEADER_BYTES = 48;
const FRAME_BYTES = 20;

export interface GroupFrame {
  readonly compressedBytes: number;
  readonly tarBytes: number;
  readonly rowCount: number;
  /** CRC-32 of the compressed frame. */
  readonly checksum: number;
  /** Rows of the members that start in this frame, as encodeIndexRows made them. */
  readonly rows: Uint8Array;
}

export interface GroupIndex {
  readonly firstSequence: number;
  readonly tarOffset: number;
  readonly mediaOffset: number;
  readonly frames: readonly GroupFrame[];
}

/** Encodes the index as one whole skippable frame. */
export function encodeGroupIndex(index: GroupIndex): Uint8Array<ArrayBuffer> {
  const rowsBytes = index.frames.reduce((sum, frame) => sum + frame.rows.length, 0);
  const rowCount = index.frames.reduce((sum, frame) => sum + frame.rowCount, 0);
  const tableBytes = index.frames.length * FRAME_BYTES;
  const payload = new Uint8Array(HEADER_BYTES + tableBytes + rowsBytes + 4);
  const view = new DataView(payload.buffer);
  payload.set(MAGIC, 0);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, index.frames.length, true);
  view.setBigUint64(16, BigInt(index.firstSequence), true);
  view.setBigUint64(24, BigInt(index.tarOffset), true);
  view.setBigUint64(32, BigInt(index.mediaOffset), true);
  view.setUint32(40, rowsBytes, true);
  view.setUint32(44, rowCount, true);
  let at = HEADER_BYTES;
  let rowsAt = HEADER_BYTES + tableBytes;
  for (const frame of index.frames) {
    view.setUint32(at, frame.compressedBytes, true);
    view.setUint32(at + 4, frame.tarBytes, true);
    view.setUint32(at + 8, frame.rows.length, true);
    view.setUint32(at + 12, frame.rowCount, true);
    view.setUint32(at + 16, frame.checksum, true);
    payload.set(frame.rows, rowsAt);
    at += FRAME_BYTES;
    rowsAt += frame.rows.length;
  }
  view.setUint32(rowsAt, crc32(payload.subarray(0, rowsAt)), true);
  return encodeSkippable("index", payload);
}

/**
 * Decodes a whole index frame; `rows` are views into it.
 * @throws AgentError `damaged`
 */
export function decodeGroupIndex(frame: Uint8Array): GroupIndex {
  const payload = decodeSkippable("index", frame);
  if (payload.length < HEADER_BYTES + 4) {
    throw damagedFrame("index", `${payload.length} bytes`, `${HEADER_BYTES + 4} or more`);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (MAGIC.some((byte, at) => payload[at] !== byte)) {
    throw damagedFrame("index", "another magic", "LFAINDEX");
  }
  const version = view.getUint16(8, true);
  if (version !== VERSION) throw damagedFrame("index", `version ${version}`, `${VERSION}`);
  const count = view.getUint32(12, true);
  if (count > MAX_GROUP_FRAMES) {
    throw damagedFrame("index", `${count} frames`, `at most ${MAX_GROUP_FRAMES}`);
  }
  const rowsBytes = view.getUint32(40, true);
  const wantedBytes = HEADER_BYTES + count * FRAME_BYTES + rowsBytes + 4;
  if (payload.length !== wantedBytes) {
    throw damagedFrame("index", `${payload.length} bytes`, `${wantedBytes}`);
  }
  const sum = crc32(payload.subarray(0, payload.length - 4));
  if (sum !== view.getUint32(payload.length - 4, true)) {
    throw damagedFrame("index", "a wrong checksum", "the one of its content");
  }
  const frames = decodeFrames(payload, view, { count, rowsBytes });
  if (frames.reduce((rows, one) => rows + one.rowCount, 0) !== view.getUint32(44, true)) {
    throw damagedFrame("index", "another count of rows", `${view.getUint32(44, true)}`);
  }
  return {
    firstSequence: Number(view.getBigUint64(16, true)),
    tarOffset: Number(view.getBigUint64(24, true)),
    mediaOffset: Number(view.getBigUint64(32, true)),
    frames,
  };
}

function decodeFrames(
  payload: Uint8Array,
  view: DataView,
  sizes: { readonly count: number; readonly rowsBytes: number },
): GroupFrame[] {
  const frames: GroupFrame[] = [];
  let rowsAt = HEADER_BYTES + sizes.count * FRAME_BYTES;
  const rowsEnd = rowsAt + sizes.rowsBytes;
  for (let i = 0; i < sizes.count; i++) {
    const at = HEADER_BYTES + i * FRAME_BYTES;
    const bytes = view.getUint32(at + 8, true);
    if (rowsAt + bytes > rowsEnd) {
      throw damagedFrame("index", `rows beyond ${sizes.rowsBytes} bytes`, "rows inside");
    }
    frames.push({
      compressedBytes: view.getUint32(at, true),
      tarBytes: view.getUint32(at + 4, true),
      rowCount: view.getUint32(at + 12, true),
      checksum: view.getUint32(at + 16, true),
      rows: payload.subarray(rowsAt, rowsAt + bytes),
    });
    rowsAt += bytes;
  }
  if (rowsAt !== rowsEnd) throw damagedFrame("index", `rows to ${rowsAt}`, `${rowsEnd}`);
  return frames;
}
