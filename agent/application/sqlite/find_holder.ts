// Who has a database open, as /proc tells it: SQLite's own locks show who reads or writes in this
// moment, and not an application that holds the file and will write its journal beside it later.
//
// Processes of other users show to root alone, which needs CAP_SYS_PTRACE for it, those of other
// hosts to nobody here.

import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";

export interface Holder {
  /** Number of the process. */
  readonly pid: string;
  /** Full path, in the process's own view, under which it opened the file. */
  readonly path: string;
}

const decoder = new TextDecoder();

/** @returns null when no other process that can be seen has the file of that path open */
export function findHolder(files: Files, path: string): Holder | null {
  const own = linkAt(files, "/proc/self");
  const wanted = identityAt(files, path);
  if (wanted === null) return null;
  const names = [path, linkAt(files, path) ?? path].map(lastOf);
  for (const pid of namesIn(files, "/proc")) {
    if (!/^\d+$/.test(pid) || pid === own) continue;
    const folder = `/proc/${pid}/fd`;
    for (const descriptor of namesIn(files, folder)) {
      const link = `${folder}/${descriptor}`;
      const opened = linkAt(files, link);
      // Only what has the name is looked at: the file system of another might not answer.
      if (opened === null || !names.includes(lastOf(opened))) continue;
      if (identityAt(files, link) === wanted) return { pid, path: opened };
    }
  }
  return null;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function identityAt(files: Files, path: string): string | null {
  return orNull(() => {
    const { deviceMajor, deviceMinor, inode } = files.stat(AT_CWD, path, { follow: true });
    return `${deviceMajor}:${deviceMinor}:${inode}`;
  });
}

function linkAt(files: Files, path: string): string | null {
  return orNull(() => decoder.decode(files.readLink(AT_CWD, path)));
}

function namesIn(files: Files, directory: string): readonly string[] {
  const read = orNull(() => {
    const descriptor = files.open(AT_CWD, directory, { access: "read", directory: true });
    try {
      return files.list(descriptor).map(({ name }) => decoder.decode(name));
    } finally {
      files.close(descriptor);
    }
  });
  return read ?? [];
}

/** A process may end, or be somebody else's, while it is looked at. */
function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
