// Opens a file of the source to read it.

import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files, PathBytes } from "../../../transport/runtime/files.ts";

const FLAGS = { access: "read", noFollow: true, noAtime: true } as const;

/**
 * Opens a name for reading, without following links and, where permitted, without a trace in its
 * access time. A fifo that has come to the name is opened, too: nothing waits for its writer.
 * @throws SystemError
 */
export function openSource(files: Files, directory: number, name: PathBytes): number {
  try {
    return files.open(directory, name, { ...FLAGS, nonBlocking: true });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "EAGAIN") throw error;
    // Another program has a lease of it, which only files can have: the kernel asks for it back.
    return files.open(directory, name, FLAGS);
  }
}
