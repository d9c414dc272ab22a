// What a file of the archive must be: one zstd frame of the promised length, and for a segment the
// one that its name says, of the cluster whose archive it is. Pure, but for who decompresses.

import { AgentError } from "../../transport/ground/error.ts";
import { equalBytes } from "../../transport/ground/equal_bytes.ts";
import { checkZstdFrame, decompressFrameAside } from "../media/mod.ts";
import { MAX_BACKUP_FILE_BYTES, MAX_HISTORY_BYTES, MAX_SEGMENT_BYTES } from "./limits.ts";
import { checkSegment } from "./wal_header.ts";
import type { WalFileName } from "./wal_file_name.ts";

export interface WalContent {
  /** One zstd frame. */
  readonly compressed: Uint8Array;
  /** Length of its content. */
  readonly bytes: number;
}

/** A frame of what does not compress is longer than its content. */
const FRAME_OVERHEAD_BYTES = 1024 * 1024;

/**
 * @param system identifier of the cluster, in decimal
 * @returns the content; never more than the longest file of its kind is held
 * @throws AgentError `damaged` for another frame, `mismatch` for another segment or cluster
 */
export async function openWalContent(
  file: WalFileName,
  { compressed, bytes }: WalContent,
  system: string,
): Promise<Uint8Array> {
  const most = maxContentBytes(file);
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > most) {
    throw refused(file, "damaged", `${bytes} bytes`, `1 to ${most}`);
  }
  const promised = checkZstdFrame(compressed).contentBytes;
  if (promised !== bytes) {
    throw refused(file, "damaged", `a frame of ${promised} bytes`, `${bytes}`);
  }
  const plain = await decompressFrameAside(compressed, bytes);
  if (file.type !== "segment" && file.type !== "partial") return plain;
  const header = checkSegment(file, plain);
  if (String(header.system) !== system) {
    throw refused(file, "mismatch", `a segment of cluster ${header.system}`, `cluster ${system}`);
  }
  return plain;
}

/** Has a stored frame the same content as `plain`? @throws AgentError `damaged` */
export async function hasContent(stored: Uint8Array, plain: Uint8Array): Promise<boolean> {
  if (checkZstdFrame(stored).contentBytes !== plain.length) return false;
  return equalBytes(await decompressFrameAside(stored, plain.length), plain);
}

/** Bytes that a stored file has at most. */
export function maxStoredBytes(file: WalFileName): number {
  return maxContentBytes(file) + FRAME_OVERHEAD_BYTES;
}

function maxContentBytes({ type }: WalFileName): number {
  if (type === "history") return MAX_HISTORY_BYTES;
  return type === "backup" ? MAX_BACKUP_FILE_BYTES : MAX_SEGMENT_BYTES;
}

function refused(
  { name }: WalFileName,
  code: "damaged" | "mismatch",
  found: string,
  wanted: string,
): AgentError {
  return new AgentError(code, `Cannot take WAL file "${name}": found ${found}, need ${wanted}`, {
    hint: code === "damaged"
      ? "Try again; if it stays, run `agent wal verify --data` on the server."
      : "Give each PostgreSQL server that archives a database entry of its own.",
  });
}
