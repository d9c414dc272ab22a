// Segments for tests, made by hand: the first page's header, then bytes that compress badly.

import { compressFrame } from "../../../../agent/media/mod.ts";
import type { WalContent } from "../../../../agent/wal/mod.ts";

export const SYSTEM = "7412345678901234567";
export const SEGMENT_BYTES = 1024 * 1024;

export interface SegmentFields {
  readonly magic?: number;
  readonly info?: number;
  readonly timeline?: number;
  readonly address?: bigint;
  readonly system?: string;
  readonly segmentBytes?: number;
  /** Length of the file. */
  readonly bytes?: number;
  /** What the content is, after the header. */
  readonly fill?: number;
}

/** Segment 0x3 of log 1 on timeline 1 by default: "000000010000000100000003". */
export function makeSegment(fields: SegmentFields = {}): Uint8Array {
  const segmentBytes = fields.segmentBytes ?? SEGMENT_BYTES;
  const bytes = new Uint8Array(fields.bytes ?? segmentBytes).fill(fields.fill ?? 0x5a);
  const header = new DataView(new ArrayBuffer(40));
  header.setUint16(0, fields.magic ?? 0xd110, true);
  header.setUint16(2, fields.info ?? 0x0002, true);
  header.setUint32(4, fields.timeline ?? 1, true);
  header.setBigUint64(8, fields.address ?? 0x1_0030_0000n, true);
  header.setBigUint64(24, BigInt(fields.system ?? SYSTEM), true);
  header.setUint32(32, segmentBytes, true);
  header.setUint32(36, 8192, true);
  bytes.set(new Uint8Array(header.buffer).subarray(0, bytes.length));
  return bytes;
}

export const NAME = "000000010000000100000003";

export function packed(content: Uint8Array, level = 1): WalContent {
  return { compressed: compressFrame(content, level), bytes: content.length };
}

export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
