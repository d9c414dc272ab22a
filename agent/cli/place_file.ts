// A file that appears whole or not at all, and is on the medium when it appears.

import { AT_CWD, type Runtime } from "../../transport/runtime/mod.ts";

/**
 * PostgreSQL removes files of this beginning in its log's directory when it starts, so that one
 * that a crash left there goes by itself.
 */
const TEMPORARY_NAME = "xlogtemp.agent.";
const FILE_MODE = 0o600;

/** @throws SystemError; nothing is left behind then */
export function placeFile(
  { files, process }: Pick<Runtime, "files" | "process">,
  path: string,
  bytes: Uint8Array,
): void {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  const temporary = `${directory}${TEMPORARY_NAME}${process.pid}`;
  const flags = { access: "write", create: true, truncate: true, mode: FILE_MODE } as const;
  const descriptor = files.open(AT_CWD, temporary, flags);
  try {
    try {
      files.writeAll(descriptor, bytes);
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
