// The archive of one cluster's write-ahead log, in the vault:
//
//   wal/CLIENT/DATABASE/SYSTEM/FIRST16/NAME.zst    segments, partial ones, `.backup` files
//   wal/CLIENT/DATABASE/SYSTEM/NAME.zst            histories of timelines
//
// SYSTEM is the cluster's system identifier in decimal, FIRST16 the name's timeline and log. Each
// file is one zstd frame with length and checksum of its content, which stock `zstd -d` reads, or
// of a client that encrypts an age file of that (sealed_file.ts).
// The archive answers for what PostgreSQL deletes once it is told "archived":
//  - what is here is whole and durable, and a name never gets another content;
//  - a segment is opened once before it gets its name: it is the one that the name says, and of
//    this cluster;
//  - "not here" is said only of an archive that is there.

import { AgentError } from "../../transport/ground/error.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { isName } from "../config/mod.ts";
import { readZstdHeader, ZSTD_HEADER_MAX_BYTES } from "../media/mod.ts";
import { withVaultErrors } from "../vault/vault_error.ts";
import type { VaultPlace } from "../vault/vault_error.ts";
import { ArchiveDirectory, isErrno, listNames } from "./archive_directory.ts";
import type { ArchivedPlace } from "./archive_directory.ts";
import { isSealedFile, readSealedHead, SEALED_FILE_HEAD_BYTES } from "./sealed_file.ts";
import { contentBytesOf, hasContent, maxStoredBytes, proveWalContent } from "./wal_content.ts";
import type { WalContent } from "./wal_content.ts";
import { parseWalFileName } from "./wal_file_name.ts";
import type { WalFileName } from "./wal_file_name.ts";

/** Whose archives. */
export interface WalOwner {
  readonly client: string;
  readonly database: string;
}

export interface WalArchiveOptions extends WalOwner {
  readonly files: Files;
  /** The vault's. */
  readonly directory: string;
  readonly system: string;
}

export interface ArchivedFile {
  readonly file: WalFileName;
  /** As it is stored. */
  readonly sizeBytes: number;
  /** When it was archived, by the server's clock. */
  readonly modifiedMs: number;
}

const SUFFIX = ".zst";
/** First bytes of a stored file, which say how long its content is. */
const HEAD_BYTES = Math.max(ZSTD_HEADER_MAX_BYTES, SEALED_FILE_HEAD_BYTES);
const FOLDER = /^[0-9A-F]{16}$/;
/** Timeline and log of a name. */
const FOLDER_CHARACTERS = 16;
const SYSTEM = /^[1-9]\d{0,19}$/;

export class WalArchive {
  readonly #directory: ArchiveDirectory;
  readonly #place: VaultPlace;
  readonly #system: string;
  readonly #owner: string;

  private constructor(options: WalArchiveOptions) {
    const { files, directory, client, database, system } = options;
    this.#place = { files, directory };
    this.#directory = new ArchiveDirectory(files, directory, ["wal", client, database, system]);
    this.#system = system;
    this.#owner = `${client}/${database}`;
  }

  /**
   * Touches nothing yet; there is nothing to close.
   * @throws AgentError `usage` when a name is none for a directory
   */
  static open(options: WalArchiveOptions): WalArchive {
    checkOwner(options);
    if (!SYSTEM.test(options.system)) {
      throw badName("system identifier", options.system, "a decimal number");
    }
    return new WalArchive(options);
  }

  /** System identifiers of the clusters that were archived under a name, in ascending order. */
  static systems(options: Omit<WalArchiveOptions, "system">): string[] {
    checkOwner(options);
    const { client, database } = options;
    return foldersIn(options, ["wal", client, database]).filter((name) => SYSTEM.test(name))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  }

  /** Everyone who has archives in a vault. */
  static owners(place: VaultPlace): WalOwner[] {
    return foldersIn(place, ["wal"]).filter(isName).sort().flatMap((client) =>
      foldersIn(place, ["wal", client]).filter(isName).sort()
        .map((database) => ({ client, database }))
    );
  }

  /**
   * Keeps a file, durably when it returns. Again with the same content is no error.
   * @returns "same" when it was there
   * @throws AgentError `mismatch` when another file has that name, or one of which only the client
   * can tell (it is durable, then), or the segment is not the one that its name says or of another
   * cluster; `damaged` when it is not one zstd frame of `bytes`; `usage` for a name that PostgreSQL
   * does not archive; `no_space` | `failed`
   */
  async store(name: string, content: WalContent): Promise<"stored" | "same"> {
    const file = requireName(name);
    await proveWalContent(file, content, { system: this.#system, take: () => {} });
    const place = placeOf(file);
    const doing = `archive WAL file "${name}" of ${this.#owner}`;
    const added = withVaultErrors(
      doing,
      this.#place,
      () => this.#directory.add(place, content.compressed),
    );
    if (added === "added") return "stored";
    const stored = this.read(name);
    if (stored === null) {
      throw new AgentError(
        "busy",
        `Cannot ${doing}: an expiry has just removed it, need it to end`,
        {
          hint: "Let PostgreSQL try again.",
        },
      );
    }
    const isSame = await hasContent(stored, content);
    if (isSame === false) throw another(doing, "another of that name");
    withVaultErrors(doing, this.#place, () => this.#directory.confirm(place));
    if (isSame) return "same";
    throw another(doing, isSealedFile(stored) ? "one that is encrypted" : "one that is not");
  }

  /**
   * A file as it is stored.
   * @returns null when it is proved not to be in the archive
   * @throws AgentError when that cannot be told, also when there is no such archive
   */
  read(name: string): Uint8Array | null {
    const file = requireName(name);
    const doing = `read WAL file "${name}" of ${this.#owner}`;
    return withVaultErrors(
      doing,
      this.#place,
      () => this.#directory.read(placeOf(file), maxStoredBytes(file)),
    );
  }

  /** Is a file of that name there? @throws AgentError `usage` | `failed` */
  has(name: string): boolean {
    const place = placeOf(requireName(name));
    const doing = `look for WAL file "${name}" of ${this.#owner}`;
    return withVaultErrors(doing, this.#place, () => this.#directory.stat(place)) !== null;
  }

  /**
   * The content of a file that is small, proved as `store` proves it.
   * @returns null when it is proved not to be in the archive
   * @throws AgentError `damaged` | `mismatch`, and as `read`
   */
  async readContent(name: string): Promise<Uint8Array | null> {
    const file = requireName(name);
    const compressed = this.read(name);
    if (compressed === null) return null;
    let content = new Uint8Array(0);
    await this.#prove(file, compressed, (piece) => {
      const longer = new Uint8Array(content.length + piece.length);
      longer.set(content);
      longer.set(piece, content.length);
      content = longer;
    });
    return content;
  }

  /**
   * Proves a file as `store` does.
   * @returns null when it is proved not to be in the archive
   * @throws as `readContent`
   */
  async prove(name: string): Promise<"plain" | "encrypted" | null> {
    const file = requireName(name);
    const compressed = this.read(name);
    if (compressed === null) return null;
    await this.#prove(file, compressed);
    return isSealedFile(compressed) ? "encrypted" : "plain";
  }

  #prove(
    file: WalFileName,
    compressed: Uint8Array,
    take: (piece: Uint8Array) => void = () => {},
  ): Promise<void> {
    const bytes = contentBytesOf(compressed);
    return proveWalContent(file, { compressed, bytes }, { system: this.#system, take });
  }

  /** Length of a file's content, from its first bytes. @throws AgentError `damaged` */
  contentBytes(name: string): number {
    const place = placeOf(requireName(name));
    const doing = `read WAL file "${name}" of ${this.#owner}`;
    const head = withVaultErrors(
      doing,
      this.#place,
      () => this.#directory.readHead(place, HEAD_BYTES),
    );
    return (isSealedFile(head) ? readSealedHead(head) : readZstdHeader(head)).contentBytes;
  }

  /**
   * What the archive has, histories first, the rest folder by folder, oldest first within a
   * timeline; nothing when there is no archive. Each step looks at one file.
   * @throws AgentError `failed`
   */
  *list(): Generator<ArchivedFile> {
    const top = this.#top();
    for (const name of top.files) yield* this.#listed({ folder: null, name });
    for (const folder of top.folders.filter((one) => FOLDER.test(one))) {
      const names = withVaultErrors(
        `list WAL of ${this.#owner}`,
        this.#place,
        () => this.#directory.filesIn(folder),
      );
      for (const name of names) yield* this.#listed({ folder, name });
    }
  }

  /**
   * Removes files for ever, and what crashes left; each step does a folder.
   * @param files in the order of `list`
   * @throws AgentError `failed`
   */
  *remove(files: readonly ArchivedFile[]): Generator<void> {
    const byFolder = new Map<string | null, string[]>([[null, []]]);
    for (const folder of this.#top().folders) {
      if (FOLDER.test(folder)) byFolder.set(folder, []);
    }
    for (const { file } of files) {
      const { folder, name } = placeOf(file);
      byFolder.get(folder)?.push(name);
    }
    for (const [folder, names] of byFolder) {
      const remove = () => this.#directory.remove(folder, names);
      withVaultErrors(`remove WAL of ${this.#owner}`, this.#place, remove);
      yield;
    }
  }

  #top(): ReturnType<ArchiveDirectory["top"]> {
    return withVaultErrors(`list WAL of ${this.#owner}`, this.#place, () => {
      try {
        return this.#directory.top();
      } catch (error) {
        if (isErrno(error, "ENOENT")) return { folders: [], files: [] };
        throw error;
      }
    });
  }

  *#listed(place: ArchivedPlace): Generator<ArchivedFile> {
    if (!place.name.endsWith(SUFFIX)) return;
    const file = parseWalFileName(place.name.slice(0, -SUFFIX.length));
    if (file === null || placeOf(file).folder !== place.folder) return;
    const found = withVaultErrors(
      `list WAL of ${this.#owner}`,
      this.#place,
      () => this.#directory.stat(place),
    );
    if (found === null) return;
    yield { file, sizeBytes: found.sizeBytes, modifiedMs: Number(found.mtimeNs / 1_000_000n) };
  }
}

/** Where a file is kept. */
function placeOf(file: WalFileName): ArchivedPlace {
  const folder = file.type === "history" ? null : file.name.slice(0, FOLDER_CHARACTERS);
  return { folder, name: `${file.name}${SUFFIX}` };
}

function requireName(name: string): WalFileName {
  const file = parseWalFileName(name);
  if (file !== null) return file;
  throw badName("WAL file", name, "a name that PostgreSQL archives");
}

function another(doing: string, found: string): AgentError {
  return new AgentError("mismatch", `Cannot ${doing}: found ${found}, need the same`, {
    hint: "Give each PostgreSQL server that archives a database entry of its own.",
  });
}

function checkOwner({ client, database }: WalOwner): void {
  for (const [what, name] of [["client", client], ["database", database]] as const) {
    if (!isName(name)) throw badName(what, name, "a name as the configuration has it");
  }
}

function badName(what: string, name: string, wanted: string): AgentError {
  const found = JSON.stringify(name.slice(0, 100));
  return new AgentError("usage", `Cannot use ${what} ${found} in the WAL archive: need ${wanted}`, {
    hint: "Let `archive_command` and `restore_command` pass on %f and %p as they are.",
  });
}

/** Names of directories; none where there is no such place in a vault that is there. */
function foldersIn({ files, directory }: VaultPlace, below: readonly string[]): string[] {
  const path = [directory, ...below].join("/");
  return withVaultErrors(`list WAL archives in "${path}"`, { files, directory }, () => {
    try {
      return listNames(files, path).filter((one) => one.isDirectory).map(({ name }) => name);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      listNames(files, directory);
      return [];
    }
  });
}
