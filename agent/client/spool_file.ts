// The snapshot of a database while it is being backed up: a file in the spool directory whose name
// says whose it is, so that a client that starts removes what a crash of its own left behind, and
// what a job left whose thread had to be ended. The directory of a job's named pipes has such a
// name, too.

import { AT_CWD, type Files, SystemError } from "../../transport/mod.ts";

export interface SpoolPlace {
  readonly directory: string;
  /** Name of the client: several may share a directory. */
  readonly client: string;
}

const SUFFIX = ".snapshot";
const PIPES_SUFFIX = ".pipes";
/** What SQLite may put beside a database. */
const COMPANIONS = ["", "-journal", "-wal", "-shm"] as const;

/** The spool file of one job; disposing of it deletes it. */
export class SpoolFile implements Disposable {
  readonly path: string;
  readonly #files: Files;

  constructor(files: Files, place: SpoolPlace & { readonly job: string }) {
    this.#files = files;
    this.path = `${place.directory}/${prefixOf(place.client)}${place.job}${SUFFIX}`;
  }

  sizeBytes(): number {
    return this.#files.stat(AT_CWD, this.path).sizeBytes;
  }

  [Symbol.dispose](): void {
    for (const companion of COMPANIONS) removeIfThere(this.#files, `${this.path}${companion}`);
  }
}

/** Directory of the named pipes of one job. */
export function pipesPath({ directory, client, job }: SpoolPlace & { readonly job: string }) {
  return `${directory}/${prefixOf(client)}${job}${PIPES_SUFFIX}`;
}

/**
 * Removes what earlier processes of this client left, or one job that has ended; a directory that
 * is missing has nothing.
 * @returns what could not be removed, for the log: it is in the way of nobody
 */
export function clearSpool(
  files: Files,
  place: SpoolPlace & { readonly job?: string },
): string[] {
  const prefix = prefixOf(place.client) + (place.job === undefined ? "" : `${place.job}.`);
  const names = namesIn(files, place.directory)
    .filter((name) => name.startsWith(prefix))
    .filter((name) => name.includes(SUFFIX) || name.endsWith(PIPES_SUFFIX));
  const left: string[] = [];
  for (const name of names) {
    const path = `${place.directory}/${name}`;
    try {
      if (name.endsWith(PIPES_SUFFIX)) removeDirectory(files, path);
      else removeIfThere(files, path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      left.push(`"${path}" (${error.errno})`);
    }
  }
  return left;
}

function prefixOf(client: string): string {
  return `agent-${client}-`;
}

function namesIn(files: Files, directory: string): string[] {
  let descriptor: number;
  try {
    descriptor = files.open(AT_CWD, directory, { access: "read", directory: true });
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
  try {
    const decoder = new TextDecoder();
    return files.list(descriptor).map((entry) => decoder.decode(entry.name));
  } finally {
    files.close(descriptor);
  }
}

/** One that holds no directories. */
function removeDirectory(files: Files, path: string): void {
  for (const name of namesIn(files, path)) files.unlink(AT_CWD, `${path}/${name}`);
  files.unlink(AT_CWD, path, { directory: true });
}

function removeIfThere(files: Files, path: string): void {
  try {
    files.unlink(AT_CWD, path);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
  }
}
