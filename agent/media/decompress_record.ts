// The content of a restore's record, decompressed beside the thread that asks.

import type { RestoreRecord, TarPieces } from "../record.ts";
import { decompressFrameAside } from "./zstd.ts";

/**
 * The record's frame may lie in memory that is used again: it is copied, compressed as it is.
 * @throws AgentError `damaged`
 */
export async function decompressRecord(record: RestoreRecord): Promise<TarPieces> {
  const { sequence, frame, tarBytes, pieces } = record;
  if (frame.length === 0) return { sequence, tar: null, pieces };
  return { sequence, tar: await decompressFrameAside(frame.slice(), tarBytes), pieces };
}
