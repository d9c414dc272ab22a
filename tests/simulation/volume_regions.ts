// What lies at an offset of a volume: the layout read the other way round, for the checkers.
//
// Invariant: a write belongs to one region or to none; it never covers two.

import { BLOCK_BYTES } from "../../transport/stp/limits.ts";
import {
  controlBlockOffset,
  extentOffset,
  hostBlockOffset,
  layoutBytes,
  metadataBytes,
  proofBlockOffset,
  slotBytes,
  type StgLayout,
} from "../../transport/stp/stg_layout.ts";

export interface Region {
  readonly kind: "host" | "control" | "proof" | "slot";
  readonly hostId: number;
  /** 0 for the host table. */
  readonly endpoint: number;
  /** 0 outside of slots. */
  readonly slot: number;
  /** From the start of the region. */
  readonly withinBytes: number;
}

/** The region of a write, or in words why it has none. */
export function regionOf(
  layout: StgLayout,
  volumeIndex: number,
  offset: number,
  bytes: number,
): Region | string {
  if (offset < BLOCK_BYTES) return "the superblock";
  if (offset + bytes > layoutBytes(layout)) return "behind the layout";
  if (offset >= metadataBytes(layout)) return slotAt(layout, offset, bytes);
  if (offset % BLOCK_BYTES !== 0 || bytes !== BLOCK_BYTES) return `${bytes} bytes of metadata`;
  if (offset <= hostBlockOffset(layout, layout.maxHosts)) {
    return { kind: "host", hostId: offset / BLOCK_BYTES, endpoint: 0, slot: 0, withinBytes: 0 };
  }
  const firstProof = proofBlockOffset(layout, 1, 0);
  const kind = offset < firstProof ? "control" : "proof";
  if (kind === "control" && volumeIndex !== 0) return "a control block on another volume";
  const start = kind === "control" ? controlBlockOffset(layout, 1, 0) : firstProof;
  return { kind, ...owner(layout, (offset - start) / BLOCK_BYTES), slot: 0, withinBytes: 0 };
}

function slotAt(layout: StgLayout, offset: number, bytes: number): Region | string {
  const index = Math.floor((offset - extentOffset(layout, 1, 0)) / slotBytes(layout));
  const withinBytes = offset - extentOffset(layout, 1, 0) - index * slotBytes(layout);
  if (withinBytes + bytes > slotBytes(layout)) return "over the end of a slot";
  const endpoint = Math.floor(index / layout.slotsPerVolume);
  return {
    kind: "slot",
    ...owner(layout, endpoint),
    slot: index % layout.slotsPerVolume,
    withinBytes,
  };
}

function owner(layout: StgLayout, index: number): { hostId: number; endpoint: number } {
  return {
    hostId: 1 + Math.floor(index / layout.endpointsPerHost),
    endpoint: index % layout.endpointsPerHost,
  };
}
