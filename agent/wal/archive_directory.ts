// The directory of one cluster's archive, and the durable steps of getting a file into it.
//
//   SYSTEM/NAME.zst            history files
//   SYSTEM/FIRST16/NAME.zst    everything else, in a folder for each 4 GiB of a timeline
//   SYSTEM/….zst.new           being written, or what a crash left
//   SYSTEM/lock                locked while a file gets its name, or files are removed
//
// Invariants:
//  - a file has its name only when its content is durable, and never gets another content: the name
//    is a hard link, which does not replace;
//  - when `add` or `confirm` return the name is durable, too, and the directories above it.
// Calls are synchronous: the lock is held within one call only, so a thread never waits for itself.

import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files, OpenFlags } from "../../transport/runtime/files.ts";

const FRESH = ".new";
const DIRECTORY: OpenFlags = { access: "read", directory: true };

/** Where a file is: its folder below the archive's directory, if any, and its name there. */
export interface ArchivedPlace {
  readonly folder: string | null;
  readonly name: string;
}

export interface ListedFile extends ArchivedPlace {
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
}

export class ArchiveDirectory {
  readonly #files: Files;
  readonly #root: string;
  readonly #path: string;
  /** Directories whose own names are durable for sure. */
  readonly #durable = new Set<string>();

  /**
   * @param root a directory that is there
   * @param below names of the directories below it that lead to the archive
   */
  constructor(files: Files, root: string, below: readonly string[]) {
    this.#files = files;
    this.#root = root;
    this.#path = [root, ...below].join("/");
  }

  path({ folder, name }: ArchivedPlace): string {
    return [this.#path, ...folder === null ? [] : [folder], name].join("/");
  }

  /**
   * Gives a file to the archive: whole, durable, and only if there is none of that name.
   * @returns "there" when there is one, whose content and durability are not known then
   * @throws SystemError
   */
  add(place: ArchivedPlace, content: Uint8Array): "added" | "there" {
    this.#makeAbove();
    return this.#locked(() => {
      this.#makeFolder(place.folder);
      return this.#addLocked(this.path(place), content);
    });
  }

  /**
   * Makes a file durable that is there: who added it may have died before it was.
   * @throws SystemError
   */
  confirm(place: ArchivedPlace): void {
    this.#makeAbove();
    const path = this.path(place);
    this.#locked(() => {
      this.#makeFolder(place.folder);
      this.#removeIfThere(`${path}${FRESH}`);
    });
    this.#sync(path, { access: "read" });
    this.#sync(directoryOf(path), DIRECTORY);
  }

  /**
   * @returns null for a file that is proved not to be there: the archive's directory is
   * @throws SystemError, also when that directory is not there
   */
  read(place: ArchivedPlace, bytesMax: number): Uint8Array | null {
    let descriptor: number;
    try {
      descriptor = this.#files.open(AT_CWD, this.path(place), { access: "read" });
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      this.#files.close(this.#files.open(AT_CWD, this.#path, DIRECTORY));
      return null;
    }
    try {
      const { sizeBytes } = this.#files.statDescriptor(descriptor);
      if (sizeBytes > bytesMax) {
        throw this.#damaged(place, `${sizeBytes} bytes`, `${bytesMax} or less`);
      }
      const bytes = new Uint8Array(sizeBytes);
      const count = readFully(this.#files, descriptor, bytes);
      if (count < sizeBytes) throw this.#damaged(place, `${count} bytes`, `${sizeBytes}`);
      return bytes;
    } finally {
      this.#files.close(descriptor);
    }
  }

  /** First bytes of a file. @throws SystemError */
  readHead(place: ArchivedPlace, bytesMax: number): Uint8Array {
    const descriptor = this.#files.open(AT_CWD, this.path(place), { access: "read" });
    try {
      const bytes = new Uint8Array(bytesMax);
      return bytes.subarray(0, this.#files.readAt(descriptor, 0, bytes));
    } finally {
      this.#files.close(descriptor);
    }
  }

  /**
   * Removes files of one folder, in the order given, what a crash left of others in it, and the
   * folder when it is empty then.
   * @throws SystemError
   */
  remove(folder: string | null, names: readonly string[]): void {
    this.#locked(() => {
      const path = folder === null ? this.#path : `${this.#path}/${folder}`;
      const left = listNames(this.#files, path).filter(({ name }) => name.endsWith(FRESH));
      for (const name of [...names, ...left.map((one) => one.name)]) {
        this.#removeIfThere(`${path}/${name}`);
      }
      if (folder !== null && listNames(this.#files, path).length === 0) {
        this.#files.unlink(AT_CWD, path, { directory: true });
      }
    });
  }

  /** Folders of the archive, and files that lie beside them. @throws SystemError */
  top(): { readonly folders: string[]; readonly files: string[] } {
    const entries = listNames(this.#files, this.#path);
    const named = (wanted: boolean) =>
      entries.filter(({ isDirectory }) => isDirectory === wanted).map(({ name }) => name).sort();
    return { folders: named(true), files: named(false) };
  }

  /** Names of the files in a folder. @throws SystemError */
  filesIn(folder: string): string[] {
    return listNames(this.#files, `${this.#path}/${folder}`).map(({ name }) => name).sort();
  }

  /** @returns null when it is not there (any more). @throws SystemError */
  stat(place: ArchivedPlace): ListedFile | null {
    try {
      const { sizeBytes, mtimeNs } = this.#files.stat(AT_CWD, this.path(place));
      return { ...place, sizeBytes, mtimeNs };
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw error;
    }
  }

  /** Makes the archive's directory. The names above are synced once by each who opens it. */
  #makeAbove(): void {
    let parent = this.#root;
    for (const name of this.#path.slice(this.#root.length + 1).split("/")) {
      this.#makeDurable(parent, name);
      parent = `${parent}/${name}`;
    }
  }

  /** An expiry may have removed an empty one, so this is for who has the lock. */
  #makeFolder(folder: string | null): void {
    if (folder !== null) this.#makeDurable(this.#path, folder);
  }

  #makeDurable(parent: string, name: string): void {
    const path = `${parent}/${name}`;
    const made = this.#makeDirectory(path);
    if (made || !this.#durable.has(path)) this.#sync(parent, DIRECTORY);
    this.#durable.add(path);
  }

  #makeDirectory(path: string): boolean {
    try {
      this.#files.makeDirectory(AT_CWD, path, 0o700);
      return true;
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
  }

  #write(path: string, content: Uint8Array): void {
    const flags = { access: "write", create: true, exclusive: true, mode: 0o600 } as const;
    const descriptor = this.#files.open(AT_CWD, path, flags);
    try {
      this.#files.writeAllAt(descriptor, 0, content);
      this.#files.sync(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
  }

  #sync(path: string, flags: OpenFlags): void {
    const descriptor = this.#files.open(AT_CWD, path, flags);
    try {
      this.#files.sync(descriptor);
    } finally {
      this.#files.close(descriptor);
    }
  }

  #damaged(place: ArchivedPlace, found: string, wanted: string): AgentError {
    const message = `Cannot read "${this.path(place)}": found ${found}, need ${wanted}`;
    return new AgentError("damaged", message, {
      hint: "Run `agent wal verify --data` to see what else is damaged.",
    });
  }

  #addLocked(path: string, content: Uint8Array): "added" | "there" {
    if (this.#isThere(path)) return "there";
    const fresh = `${path}${FRESH}`;
    this.#removeIfThere(fresh);
    try {
      this.#write(fresh, content);
      this.#files.link(AT_CWD, fresh, AT_CWD, path);
    } catch (error) {
      this.#removeIfThere(fresh);
      throw error;
    }
    this.#files.unlink(AT_CWD, fresh);
    this.#sync(directoryOf(path), DIRECTORY);
    return "added";
  }

  #locked<T>(body: () => T): T {
    const flags = { access: "read-write", create: true, mode: 0o600 } as const;
    const descriptor = this.#files.open(AT_CWD, `${this.#path}/lock`, flags);
    try {
      // Another thread has it for the time of one file.
      this.#files.lock(descriptor, "exclusive", { wait: true });
      return body();
    } finally {
      this.#files.close(descriptor);
    }
  }

  #isThere(path: string): boolean {
    try {
      this.#files.stat(AT_CWD, path);
      return true;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
  }

  #removeIfThere(path: string): void {
    try {
      this.#files.unlink(AT_CWD, path);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
}

/** Names in a directory. @throws SystemError */
export function listNames(
  files: Files,
  path: string,
): { readonly name: string; readonly isDirectory: boolean }[] {
  const descriptor = files.open(AT_CWD, path, DIRECTORY);
  try {
    return files.list(descriptor).map(({ name, type }) => {
      const text = new TextDecoder().decode(name);
      // Some file systems do not tell types in their directories.
      const known = type === "unknown"
        ? files.stat(descriptor, name, { follow: false }).type
        : type;
      return { name: text, isDirectory: known === "directory" };
    });
  } finally {
    files.close(descriptor);
  }
}

/** @returns bytes that there were, fewer only at the end of the file */
function readFully(files: Files, descriptor: number, into: Uint8Array): number {
  let count = 0;
  while (count < into.length) {
    const more = files.readAt(descriptor, count, into.subarray(count));
    if (more === 0) break;
    count += more;
  }
  return count;
}

export function isErrno(error: unknown, errno: string): boolean {
  return error instanceof SystemError && error.errno === errno;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
