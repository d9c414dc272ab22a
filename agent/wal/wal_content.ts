// What a file of the archive must be: one zstd frame of the promised length, and for a segment the
// one that its name says, of the cluster whose archive it is. Of an encrypted one (sealed_file.ts)
// the client has made sure of that; here it is proved by its checksum, as it is stored. The content
// goes by in pieces: memory for a segment of each file costs more than all the rest. Pure, but for
// who decompresses.

import { AgentError } from "../../transport/ground/error.ts";
import { equalBytes } from "../../transport/ground/equal_bytes.ts";
import { checkZstdFrame, decompressFrameAside, decompressInPieces } from "../media/mod.ts";
import { MAX_BACKUP_FILE_BYTES, MAX_HISTORY_BYTES, MAX_SEGMENT_BYTES } from "./limits.ts";
import { isSealedFile, openSealedFile, readSealedHead } from "./sealed_file.ts";
import { checkSegment, isSegmentSize, WAL_HEADER_BYTES } from "./wal_header.ts";
import { isSegmentOf } from "./wal_file_name.ts";
import type { WalFileName } from "./wal_file_name.ts";

export interface WalContent {
  /** As it is stored: one zstd frame, or an encrypted file. */
  readonly compressed: Uint8Array;
  /** Length of its content. */
  readonly bytes: number;
}

export interface ProveOptions {
  /** Identifier of the cluster, in decimal. */
  readonly system: string;
  /** Is given the content piece by piece, before all of it is proved. */
  readonly take: (piece: Uint8Array) => void;
}

/** A frame of what does not compress is longer than its content. */
const FRAME_OVERHEAD_BYTES = 1024 * 1024;

/**
 * Proves a file as it is stored.
 * @throws AgentError `damaged` for another frame, `mismatch` for another segment or cluster
 */
export async function proveWalContent(
  file: WalFileName,
  { compressed, bytes }: WalContent,
  { system, take }: ProveOptions,
): Promise<void> {
  const most = maxContentBytes(file);
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > most) {
    throw refused(file, "damaged", `${bytes} bytes`, `1 to ${most}`);
  }
  const promised = contentBytesOf(compressed);
  if (promised !== bytes) {
    throw refused(file, "damaged", `a frame of ${promised} bytes`, `${bytes}`);
  }
  if (isSealedFile(compressed)) return proveSealed(file, compressed, bytes);
  const head = new Uint8Array(Math.min(WAL_HEADER_BYTES, bytes));
  let count = 0;
  await decompressInPieces(compressed, bytes, (piece) => {
    if (count < head.length) head.set(piece.subarray(0, head.length - count), count);
    count += piece.length;
    take(piece);
  });
  if (file.type !== "segment" && file.type !== "partial") return;
  const header = checkSegment(file, { head, bytes });
  if (String(header.system) !== system) {
    throw refused(file, "mismatch", `a segment of cluster ${header.system}`, `cluster ${system}`);
  }
}

/** Length of a stored file's content, from its first bytes. @throws AgentError `damaged` */
export function contentBytesOf(stored: Uint8Array): number {
  return isSealedFile(stored)
    ? readSealedHead(stored).contentBytes
    : checkZstdFrame(stored).contentBytes;
}

/** Histories are not encrypted: which timelines there are is what the archive must know. */
function proveSealed(file: WalFileName, sealed: Uint8Array, bytes: number): void {
  openSealedFile(sealed);
  if (file.type === "history") throw refused(file, "damaged", "it encrypted", "it readable");
  if (file.type === "backup") return;
  if (isSegmentSize(bytes) && isSegmentOf(file, bytes)) return;
  throw refused(file, "mismatch", `${bytes} bytes`, "a name of a segment of this size");
}

/**
 * Has a stored file the same content as one that was proved?
 * @returns null when one is encrypted and the other is not: only the client can tell
 * @throws AgentError `damaged`
 */
export async function hasContent(
  stored: Uint8Array,
  { compressed, bytes }: WalContent,
): Promise<boolean | null> {
  // What is pushed again was mostly compressed by the same program at the same level.
  if (equalBytes(stored, compressed)) return true;
  if (isSealedFile(stored) !== isSealedFile(compressed)) return null;
  if (isSealedFile(stored)) {
    const [one, other] = [openSealedFile(stored), openSealedFile(compressed)];
    return one.contentBytes === other.contentBytes && equalBytes(one.digest, other.digest);
  }
  if (checkZstdFrame(stored).contentBytes !== bytes) return false;
  const plain = await decompressFrameAside(stored, bytes);
  return equalBytes(plain, await decompressFrameAside(compressed, bytes));
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
