// Which failures are those of one media file, so that work with others goes on: its bytes are
// damaged, or this file cannot be read. What a process lacks (descriptors, memory, space) is none.

import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";

/** Bad sectors, a damaged file system, a lost file handle of NFS, rights, no plain file. */
const OF_ONE_FILE = ["EIO", "EUCLEAN", "ESTALE", "EACCES", "EPERM", "ELOOP", "EISDIR"];

/** Is this what one media file does, and no other because of it? */
export function isUnreadable(thrown: unknown): thrown is AgentError | SystemError {
  if (thrown instanceof AgentError) return thrown.code === "damaged" || isUnreadable(thrown.cause);
  return thrown instanceof SystemError && OF_ONE_FILE.includes(thrown.errno);
}
