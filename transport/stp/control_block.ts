// The control block: one per endpoint, on volume 0. One write of its owner publishes everything
// that the peer must know: who is connected, both cursors, flags, the end and its reason, and what
// stands in the owner's slots. This file is the record, its first 512 bytes; behind it, from byte
// 512 on, lies the frame table (frame_entry.ts).
//
//   0    8   magic "STPCTRL1"
//   8    4   format version
//   12   4   kind: 0 free, 1 listening, 2 connecting, 3 established, 4 closing, 5 aborted
//   16   16  this endpoint: host, endpoint, generation of the host, of the connection (u32 each)
//   32   16  the peer's, the same four
//   48   4   local port            52  4  peer's port
//   56   4   flags: 1 blocked (no credit), 2 FIN sent, 4 FIN acknowledged, 8 undrained (of an
//            aborted or free block: a write to the endpoint's slots may still land)
//   60   4   frames found bad      64  4  blocks found bad     68  4  cursors found bad
//   72   8   produced frames       80  8  produced bytes
//   88   8   consumed frames       96  8  consumed bytes
//   104  8   final count of frames (with FIN)
//   112  8   changes: grows with each write of the block
//   120  32  proof that the connector has the token (zero without one)
//   152  4   count of refusals, then 8 x 20 bytes: host, endpoint, both generations, reason
//   316  4   length of the reason, then 128 bytes of it (320 .. 447)
//   448  8   frame asked for again, plus one; 0: none
//   456  4   requests so far: a request is new when this grew
//   460  4   of the frames found bad: torn  464  4  stale  468  4  damaged
//   472  4   of the cursors found bad: moved back  476  4  beyond what is possible
//   480  4   frames sent again
//   484  4   frames that the owner lets be in flight now
//   488  4   times that the sender waited for credit
//   508  4   CRC-32 of bytes 0 .. 507
//
// Invariants: cursors are monotone within a generation. The decoder fills a record that the
// caller keeps, without allocating: it runs on each poll.

import { assert } from "../ground/assert.ts";
import {
  checkRecord,
  magicBytes,
  readText,
  readU64,
  type RecordState,
  sealRecord,
  viewOf,
  writeText,
  writeU64,
} from "./block_fields.ts";
import { BLOCK_BYTES, REASON_BYTES_MAX, REFUSALS_MAX } from "./limits.ts";

const MAGIC = magicBytes("STPCTRL1");
const KINDS = ["free", "listening", "connecting", "established", "closing", "aborted"] as const;
const REASONS = ["auth", "refused"] as const;
const TOKEN_PROOF_BYTES = 32;

export type ControlKind = typeof KINDS[number];
export type RefusalReason = typeof REASONS[number];

/** One use of an endpoint: a connection or a listening socket. */
export interface EndpointId {
  readonly host: number;
  readonly endpoint: number;
  /** Generation of the host: of its claim. */
  readonly boot: number;
  /** Generation of the connection: grows with each use of the endpoint. */
  readonly generation: number;
}

export interface ConnectionIds {
  readonly local: EndpointId;
  readonly peer: EndpointId;
}

export interface Refusal {
  readonly to: EndpointId;
  readonly reason: RefusalReason;
}

export const NO_ENDPOINT: EndpointId = { host: 0, endpoint: 0, boot: 0, generation: 0 };

/** Writable, because the poll of a connection fills the same record each time. */
export class ControlBlock {
  kind: ControlKind = "free";
  self: EndpointId = NO_ENDPOINT;
  peer: EndpointId = NO_ENDPOINT;
  localPort = 0;
  peerPort = 0;
  blocked = false;
  finSent = false;
  finAcked = false;
  /** A write to the endpoint's slots failed or is under way: it may land later. */
  undrained = false;
  badFrames = 0;
  badBlocks = 0;
  badCursors = 0;
  /** Frame that the owner could not read, plus one; 0 when there is none. */
  askedFrame = 0;
  /** Grows with each request. */
  requests = 0;
  tornFrames = 0;
  staleFrames = 0;
  damagedFrames = 0;
  cursorsBack = 0;
  cursorsBeyond = 0;
  sentAgain = 0;
  /** Frames that the owner lets be in flight now; 0: as many as there are slots. */
  windowFrames = 0;
  /** How often the sender had to wait for credit. */
  creditWaits = 0;
  producedFrames = 0;
  producedBytes = 0;
  consumedFrames = 0;
  consumedBytes = 0;
  finFrames = 0;
  changes = 0;
  tokenProof: Uint8Array = new Uint8Array(TOKEN_PROOF_BYTES);
  refusals: Refusal[] = [];
  reason = "";
}

export function sameEndpoint(a: EndpointId, b: EndpointId): boolean {
  return a.host === b.host && a.endpoint === b.endpoint && a.boot === b.boot &&
    a.generation === b.generation;
}

/** Encodes into `block` (4 KiB, kept by the caller); the rest of the block stays as it is. */
export function encodeControlBlock(from: ControlBlock, block: Uint8Array, view: DataView): void {
  view.setUint32(12, KINDS.indexOf(from.kind), true);
  writeEndpoint(view, 16, from.self);
  writeEndpoint(view, 32, from.peer);
  view.setUint32(48, from.localPort, true);
  view.setUint32(52, from.peerPort, true);
  view.setUint32(56, encodeFlags(from), true);
  view.setUint32(60, from.badFrames, true);
  view.setUint32(64, from.badBlocks, true);
  view.setUint32(68, from.badCursors, true);
  writeU64(view, 72, from.producedFrames);
  writeU64(view, 80, from.producedBytes);
  writeU64(view, 88, from.consumedFrames);
  writeU64(view, 96, from.consumedBytes);
  writeU64(view, 104, from.finFrames);
  writeU64(view, 112, from.changes);
  block.set(from.tokenProof, 120);
  assert(from.refusals.length <= REFUSALS_MAX, "refusals are bounded");
  view.setUint32(152, from.refusals.length, true);
  from.refusals.forEach((refusal, index) => {
    writeEndpoint(view, 156 + 20 * index, refusal.to);
    view.setUint32(156 + 20 * index + 16, REASONS.indexOf(refusal.reason), true);
  });
  if (from.kind === "aborted") writeText(block, 316, REASON_BYTES_MAX, from.reason);
  else view.setUint32(316, 0, true);
  encodeRecovery(from, view);
  sealRecord(block, view, MAGIC);
}

function encodeFlags(from: ControlBlock): number {
  return (from.blocked ? 1 : 0) | (from.finSent ? 2 : 0) | (from.finAcked ? 4 : 0) |
    (from.undrained ? 8 : 0);
}

function encodeRecovery(from: ControlBlock, view: DataView): void {
  writeU64(view, 448, from.askedFrame);
  view.setUint32(456, from.requests, true);
  view.setUint32(460, from.tornFrames, true);
  view.setUint32(464, from.staleFrames, true);
  view.setUint32(468, from.damagedFrames, true);
  view.setUint32(472, from.cursorsBack, true);
  view.setUint32(476, from.cursorsBeyond, true);
  view.setUint32(480, from.sentAgain, true);
  view.setUint32(484, from.windowFrames, true);
  view.setUint32(488, from.creditWaits, true);
}

function decodeRecovery(view: DataView, into: ControlBlock): void {
  into.askedFrame = readU64(view, 448);
  into.requests = view.getUint32(456, true);
  into.tornFrames = view.getUint32(460, true);
  into.staleFrames = view.getUint32(464, true);
  into.damagedFrames = view.getUint32(468, true);
  into.cursorsBack = view.getUint32(472, true);
  into.cursorsBeyond = view.getUint32(476, true);
  into.sentAgain = view.getUint32(480, true);
  into.windowFrames = view.getUint32(484, true);
  into.creditWaits = view.getUint32(488, true);
}

/** Fills `into` when the block is good ("ok"); otherwise `into` keeps what it had. */
export function decodeControlBlock(
  block: Uint8Array,
  view: DataView,
  into: ControlBlock,
): RecordState {
  const state = checkRecord(block, view, MAGIC);
  if (state !== "ok") return state;
  const kind = KINDS[view.getUint32(12, true)];
  const refusals = view.getUint32(152, true);
  if (kind === undefined || refusals > REFUSALS_MAX) return "damaged";
  const flags = view.getUint32(56, true);
  into.kind = kind;
  into.self = readEndpoint(view, 16, into.self);
  into.peer = readEndpoint(view, 32, into.peer);
  into.localPort = view.getUint32(48, true);
  into.peerPort = view.getUint32(52, true);
  into.blocked = (flags & 1) !== 0;
  into.finSent = (flags & 2) !== 0;
  into.finAcked = (flags & 4) !== 0;
  into.undrained = (flags & 8) !== 0;
  into.badFrames = view.getUint32(60, true);
  into.badBlocks = view.getUint32(64, true);
  into.badCursors = view.getUint32(68, true);
  into.producedFrames = readU64(view, 72);
  into.producedBytes = readU64(view, 80);
  into.consumedFrames = readU64(view, 88);
  into.consumedBytes = readU64(view, 96);
  into.finFrames = readU64(view, 104);
  into.changes = readU64(view, 112);
  decodeRecovery(view, into);
  if (kind === "connecting") into.tokenProof.set(block.subarray(120, 120 + TOKEN_PROOF_BYTES));
  into.refusals.length = 0;
  for (let i = 0; i < refusals; i++) {
    const reason = REASONS[view.getUint32(156 + 20 * i + 16, true)] ?? "refused";
    into.refusals.push({ to: readEndpoint(view, 156 + 20 * i, NO_ENDPOINT), reason });
  }
  into.reason = kind === "aborted" ? readText(block, 316, REASON_BYTES_MAX) ?? "" : "";
  return "ok";
}

/** A fresh block image of `from`, for the places that are not hot. */
export function controlBlockImage(from: ControlBlock): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  encodeControlBlock(from, block, viewOf(block));
  return block;
}

function writeEndpoint(view: DataView, offset: number, id: EndpointId): void {
  view.setUint32(offset, id.host, true);
  view.setUint32(offset + 4, id.endpoint, true);
  view.setUint32(offset + 8, id.boot, true);
  view.setUint32(offset + 12, id.generation, true);
}

/** Returns `known` when it is the same, so that polls of one connection allocate nothing. */
function readEndpoint(view: DataView, offset: number, known: EndpointId): EndpointId {
  const host = view.getUint32(offset, true);
  const endpoint = view.getUint32(offset + 4, true);
  const boot = view.getUint32(offset + 8, true);
  const generation = view.getUint32(offset + 12, true);
  const same = known.host === host && known.endpoint === endpoint && known.boot === boot &&
    known.generation === generation;
  return same ? known : { host, endpoint, boot, generation };
}
