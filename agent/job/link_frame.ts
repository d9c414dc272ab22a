// Messages of a job's link as bytes. Little-endian.
//
//   message:  0 kind u32 (1 document, 2 data record, 3 restore record, 5 parent chunk,
//             6 piece of a file)
//             | 4 length u32 | payload
//   acknowledgement: 0 kind u32 (4) | 4 count u32 of messages that came so far, no payload
//   document: UTF-8 JSON of a LinkDocument (link_document.ts checks it)
//   data record:    0 sequence u32 | 4 tar bytes u32 | 8 rows u32 | 12 frame bytes u32
//                   | 16 content bytes u64 | 24 frame | rows
//   restore record: 0 sequence u32 | 4 tar bytes u32 | 8 pieces u32 | 12 frame bytes u32
//                   | 16 pieces {offset u32, length u32} | frame
//   parent chunk:   0 index u32 | 4 row bytes u32 | frame
//   piece:          bytes of a file, in their order
//
// Lengths come from the peer: each is checked against the message before it is used. The frames
// carry their own checksums; STP frames and TLS protect the way.

import { AgentError } from "../../transport/mod.ts";
import type { DataRecord, ParentChunk, Piece, RestoreRecord } from "../record.ts";
import { FRAME_TAR_BYTES_MAX, LINK_DOCUMENT_BYTES_MAX, LINK_MESSAGE_BYTES_MAX } from "./limits.ts";

export const HEADER_BYTES = 8;
const DATA_HEAD_BYTES = 24;
const RESTORE_HEAD_BYTES = 16;
const PARENT_HEAD_BYTES = 8;
const PIECE_BYTES = 8;

export type LinkKind = "document" | "data" | "restore" | "parent" | "piece";
const KINDS: Readonly<Record<LinkKind, number>> = {
  document: 1,
  data: 2,
  restore: 3,
  parent: 5,
  piece: 6,
};
const ACKNOWLEDGEMENT = 4;

/** Size of a data record as a message, header included. */
export function dataRecordBytes(record: DataRecord): number {
  return HEADER_BYTES + DATA_HEAD_BYTES + record.frame.length + record.rows.length;
}

/** Size of a restore record as a message, header included. */
export function restoreRecordBytes(record: RestoreRecord): number {
  return HEADER_BYTES + RESTORE_HEAD_BYTES + record.pieces.length * PIECE_BYTES +
    record.frame.length;
}

/** Writes a header of `length` payload bytes at the start of `into`. */
export function encodeHeader(kind: LinkKind, length: number, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setUint32(0, KINDS[kind], true);
  view.setUint32(4, length, true);
}

/** Writes an acknowledgement of `count` messages at the start of `into`. */
export function encodeAcknowledgement(count: number, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setUint32(0, ACKNOWLEDGEMENT, true);
  view.setUint32(4, count, true);
}

/** What a header says: of a message its kind and length, else how many messages came. */
export type Header =
  | { readonly kind: LinkKind; readonly length: number }
  | { readonly kind: "acknowledgement"; readonly count: number };

/** @throws AgentError `damaged` for an unknown kind or a length over the limit */
export function decodeHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = view.getUint32(0, true);
  const length = view.getUint32(4, true);
  if (value === ACKNOWLEDGEMENT) return { kind: "acknowledgement", count: length };
  const kind = (Object.keys(KINDS) as LinkKind[]).find((name) => KINDS[name] === value);
  if (kind === undefined) throw damaged(`message kind ${value}`, "1 to 6");
  const max = kind === "document" ? LINK_DOCUMENT_BYTES_MAX : LINK_MESSAGE_BYTES_MAX;
  if (length > max) throw damaged(`a message of ${length} bytes`, `at most ${max}`);
  return { kind, length };
}

/** Writes the whole message into `into`, which has `dataRecordBytes(record)` bytes. */
export function encodeDataRecord(record: DataRecord, into: Uint8Array): void {
  encodeHeader("data", into.length - HEADER_BYTES, into);
  const view = new DataView(into.buffer, into.byteOffset + HEADER_BYTES, DATA_HEAD_BYTES);
  view.setUint32(0, record.sequence, true);
  view.setUint32(4, record.tarBytes, true);
  view.setUint32(8, record.rowCount, true);
  view.setUint32(12, record.frame.length, true);
  view.setBigUint64(16, BigInt(record.contentBytes), true);
  into.set(record.frame, HEADER_BYTES + DATA_HEAD_BYTES);
  into.set(record.rows, HEADER_BYTES + DATA_HEAD_BYTES + record.frame.length);
}

/** The record's frame and rows are views of `payload`. @throws AgentError `damaged` */
export function decodeDataRecord(payload: Uint8Array): DataRecord {
  if (payload.length < DATA_HEAD_BYTES) throw damaged("a short data record", "its whole head");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const frameBytes = view.getUint32(12, true);
  const rowsStart = DATA_HEAD_BYTES + frameBytes;
  if (rowsStart > payload.length) throw damaged(`a frame of ${frameBytes} bytes`, "one that fits");
  const contentBytes = Number(view.getBigUint64(16, true));
  if (!Number.isSafeInteger(contentBytes)) {
    throw damaged(`${contentBytes} content bytes`, `at most ${Number.MAX_SAFE_INTEGER}`);
  }
  return {
    sequence: view.getUint32(0, true),
    tarBytes: tarBytes(view.getUint32(4, true)),
    rowCount: view.getUint32(8, true),
    contentBytes,
    frame: payload.subarray(DATA_HEAD_BYTES, rowsStart),
    rows: payload.subarray(rowsStart),
  };
}

/** Writes the whole message into `into`, which has `restoreRecordBytes(record)` bytes. */
export function encodeRestoreRecord(record: RestoreRecord, into: Uint8Array): void {
  encodeHeader("restore", into.length - HEADER_BYTES, into);
  const view = new DataView(into.buffer, into.byteOffset + HEADER_BYTES);
  view.setUint32(0, record.sequence, true);
  view.setUint32(4, record.tarBytes, true);
  view.setUint32(8, record.pieces.length, true);
  view.setUint32(12, record.frame.length, true);
  let offset = RESTORE_HEAD_BYTES;
  for (const piece of record.pieces) {
    view.setUint32(offset, piece.offset, true);
    view.setUint32(offset + 4, piece.length, true);
    offset += PIECE_BYTES;
  }
  into.set(record.frame, HEADER_BYTES + offset);
}

/** The record's frame is a view of `payload`. @throws AgentError `damaged` */
export function decodeRestoreRecord(payload: Uint8Array): RestoreRecord {
  if (payload.length < RESTORE_HEAD_BYTES) throw damaged("a short restore record", "its head");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const recordTarBytes = tarBytes(view.getUint32(4, true));
  const pieceCount = view.getUint32(8, true);
  const frameStart = RESTORE_HEAD_BYTES + pieceCount * PIECE_BYTES;
  if (frameStart + view.getUint32(12, true) !== payload.length) {
    throw damaged("lengths that do not add up", "those of the message");
  }
  const pieces: Piece[] = [];
  for (let at = RESTORE_HEAD_BYTES; at < frameStart; at += PIECE_BYTES) {
    const piece = { offset: view.getUint32(at, true), length: view.getUint32(at + 4, true) };
    if (piece.offset + piece.length > recordTarBytes) {
      throw damaged(`a piece that ends at ${piece.offset + piece.length}`, "one within its frame");
    }
    pieces.push(piece);
  }
  const frame = payload.subarray(frameStart);
  return { sequence: view.getUint32(0, true), tarBytes: recordTarBytes, pieces, frame };
}

/** Size of a parent chunk as a message, header included. */
export function parentChunkBytes(chunk: ParentChunk): number {
  return HEADER_BYTES + PARENT_HEAD_BYTES + chunk.frame.length;
}

/** Writes the whole message into `into`, which has `parentChunkBytes(chunk)` bytes. */
export function encodeParentChunk(chunk: ParentChunk, into: Uint8Array): void {
  encodeHeader("parent", into.length - HEADER_BYTES, into);
  const view = new DataView(into.buffer, into.byteOffset + HEADER_BYTES, PARENT_HEAD_BYTES);
  view.setUint32(0, chunk.index, true);
  view.setUint32(4, chunk.rowBytes, true);
  into.set(chunk.frame, HEADER_BYTES + PARENT_HEAD_BYTES);
}

/** The chunk's frame is a view of `payload`. @throws AgentError `damaged` */
export function decodeParentChunk(payload: Uint8Array): ParentChunk {
  if (payload.length < PARENT_HEAD_BYTES) throw damaged("a short parent chunk", "its whole head");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const frame = payload.subarray(PARENT_HEAD_BYTES);
  return { index: view.getUint32(0, true), rowBytes: view.getUint32(4, true), frame };
}

/** Writes a piece of a file into `into`, which has HEADER_BYTES more than the piece. */
export function encodePiece(piece: Uint8Array, into: Uint8Array): void {
  encodeHeader("piece", piece.length, into);
  into.set(piece, HEADER_BYTES);
}

function tarBytes(value: number): number {
  if (value <= FRAME_TAR_BYTES_MAX) return value;
  throw damaged(`a frame of ${value} tar bytes`, `at most ${FRAME_TAR_BYTES_MAX}`);
}

function damaged(found: string, wanted: string): AgentError {
  const message = `Cannot read from the job's peer: found ${found}, need ${wanted}`;
  return new AgentError("damaged", message);
}
