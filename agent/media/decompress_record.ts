// The content of a restore's record, decompressed beside the thread that asks.

import type { RestoreRecord, TarPieces } from "../record.ts";
import { decompressFrameAside } from "./zstd_aside.ts";

/** @param record its frame must stay as it is meanwhile. @throws AgentError `damaged` */
export async function decompressRecord(record: RestoreRecord): Promise<TarPieces> {
  const { sequence, frame, tarBytes, pieces } = record;
  if (frame.length === 0) return { sequence, tar: null, pieces };
  return { sequence, tar: await decompressFrameAside(frame, tarBytes), pieces };
}
