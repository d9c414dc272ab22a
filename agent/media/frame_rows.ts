// The index rows of one frame, checked against the frame: each member starts inside it.

import type { IndexPage } from "../entry.ts";
import { decodeIndexRows } from "./index_rows.ts";
import { damagedFrame } from "./skippable_frame.ts";

export interface FrameRows extends IndexPage {
  /** Where the last of its members ends in the tar stream: in this frame or a later one. */
  readonly tarEnd: number;
}

/** @throws AgentError `damaged` */
export function readFrameRows(
  bytes: Uint8Array,
  frame: { readonly rowCount: number; readonly tarOffset: number; readonly tarBytes: number },
): FrameRows {
  const { rowCount, tarOffset, tarBytes } = frame;
  const { rows, notes } = decodeIndexRows(bytes);
  if (rows.length !== rowCount) {
    throw damagedFrame("index", `${rows.length} rows`, `${rowCount}`);
  }
  let tarEnd = 0;
  for (const row of rows) {
    if (row.tarOffset < tarOffset || row.tarOffset >= tarOffset + tarBytes) {
      throw damagedFrame("index", `a member at ${row.tarOffset}`, "one inside its frame");
    }
    tarEnd = Math.max(tarEnd, row.tarOffset + row.tarBytes);
  }
  return { rows, notes, tarEnd };
}
