// A file that appears whole or not at all, and is on the medium when it appears. Its content comes
// as one zstd frame, whose checksum proves it before it gets its name.

import { AT_CWD, type Runtime } from "../../transport/runtime/mod.ts";
import { MAX_WAL_REQUEST_BYTES } from "../control/limits.ts";
import { decompressInPieces } from "../media/zstd.ts";
import { checkZstdFrame } from "../media/zstd_frame.ts";
import { damagedFrame } from "../media/skippable_frame.ts";

/**
 * PostgreSQL removes files of this beginning in its log's directory when it starts, so that one
 * that a crash left there goes by itself.
 */
const TEMPORARY_NAME = "xlogtemp.agent.";
const FILE_MODE = 0o600;

/** @throws AgentError `damaged` | SystemError; nothing is left behind then */
export async function placeFile(
  { files, process }: Pick<Runtime, "files" | "process">,
  path: string,
  frame: Uint8Array,
): Promise<void> {
  const { contentBytes } = checkZstdFrame(frame);
  if (contentBytes > MAX_WAL_REQUEST_BYTES) {
    throw damagedFrame("data", `${contentBytes} bytes`, `at most ${MAX_WAL_REQUEST_BYTES}`);
  }
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  const temporary = `${directory}${TEMPORARY_NAME}${process.pid}`;
  const flags = { access: "write", create: true, truncate: true, mode: FILE_MODE } as const;
  const descriptor = files.open(AT_CWD, temporary, flags);
  try {
    try {
      const write = (piece: Uint8Array) => files.writeAll(descriptor, piece);
      await decompressInPieces(frame, contentBytes, write);
      files.sync(descriptor);
    } finally {
      files.close(descriptor);
    }
    files.rename(AT_CWD, temporary, AT_CWD, path);
  } catch (error) {
    files.unlink(AT_CWD, temporary);
    throw error;
  }
}
