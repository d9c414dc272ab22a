// Carries files of a log to the server that lie on this host: the one that PostgreSQL's command
// asks for, and before they are asked for those that PostgreSQL has marked as ready
// (archive_status/NAME.ready), so that pushes keep up with a server that writes much.
//
// Names prove nothing, neither does a file that was read a moment ago: a command tells length and
// SHA-256 of the file that it sees, and gets "kept" only when the bytes that went to the server,
// and are durable there, have the same. Whatever differs is "unlike", and the command sends it.
//
// Invariants: what is remembered of a file is the server's word that these bytes are durable, once,
// for the life of the connection; what was refused ahead is not remembered. PostgreSQL may write a
// segment again only after it was archived, and a name in the archive never gets other bytes.

import { createHash } from "node:crypto";
import {
  AgentError,
  AT_CWD,
  type Files,
  type OpenFlags,
  SystemError,
  toErrorRecord,
} from "../../transport/mod.ts";
import { type FileDigest, type OwnFile, WAL_FILE_BYTES_MAX, type WalAnswer } from "../job/mod.ts";
import { compressFrameAside } from "../media/mod.ts";
import { parseWalFileName } from "../wal/mod.ts";
import { WAL_AHEAD_MAX } from "./limits.ts";
import type { Log, PushAnswer } from "./log_link.ts";
import { systemOfFile } from "./wal_request.ts";

export interface PushAheadParts {
  readonly files: Pick<Files, "open" | "close" | "list" | "readAt" | "statDescriptor">;
  readonly log: Pick<Log, "push">;
  /** zstd level. */
  readonly level: number;
}

const READY = ".ready";

/**
 * The log's directory is its server's, who may have less rights than we: a link there must not show
 * it another file, nor a pipe hold us up.
 */
const OPENING: OpenFlags = { access: "read", noFollow: true, nonBlocking: true };

export class PushAhead {
  readonly #parts: PushAheadParts;
  /** Files that are durable on the server, by what they were read as. */
  readonly #kept = new Map<string, FileDigest>();
  /** Files to carry, in the order in which PostgreSQL will ask for them. */
  #next: OwnFile[] = [];
  /** What a file is read into: fresh memory for each costs more than all the rest. */
  #room: Uint8Array | null = null;

  constructor(parts: PushAheadParts) {
    this.#parts = parts;
  }

  /** Is there anything that time makes useless? */
  get holds(): boolean {
    return this.#room !== null;
  }

  /** Keeps a file that must have this digest. @throws AgentError when the link ended */
  async push(wanted: OwnFile & FileDigest): Promise<WalAnswer> {
    const { directory, name, system, known } = wanted;
    const file = { directory, name, system, known };
    const answer = this.#takeKept(file, wanted)
      ? { type: "stored" } as const
      : await this.#carry(file, wanted);
    if (answer.type === "stored" || answer.type === "same") this.#lookAhead(file);
    return answer;
  }

  /** Carries one file that will be asked for. @returns false when there is none to carry */
  async step(): Promise<boolean> {
    const file = this.#kept.size < WAL_AHEAD_MAX ? this.#next.shift() : undefined;
    if (file === undefined) return false;
    const read = this.#read(file);
    if (read === null) return true;
    const digest = digestOf(read);
    const answer = await this.#send(file, read, digest);
    if (answer.type !== "refused") this.#kept.set(keyOf(file), digest);
    return true;
  }

  /** Gives up what is held. */
  forget(): void {
    this.#kept.clear();
    this.#next = [];
    this.#room = null;
  }

  #takeKept(file: OwnFile, wanted: FileDigest): boolean {
    const key = keyOf(file);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    this.#next = this.#next.filter(({ name }) => name !== file.name);
    return kept !== undefined && isSame(kept, wanted);
  }

  async #carry(file: OwnFile, wanted: FileDigest): Promise<WalAnswer> {
    const read = this.#read(file);
    if (read === null || !isSame(digestOf(read), wanted)) return { type: "unlike" };
    return await this.#send(file, read, wanted);
  }

  async #send(
    { name, system, known }: OwnFile,
    content: Uint8Array,
    { sha256 }: FileDigest,
  ): Promise<PushAnswer> {
    let of: string;
    try {
      of = systemOfFile({ name, bytes: content, system, known });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { type: "refused", error: toErrorRecord(error) };
    }
    const { log, level } = this.#parts;
    const frame = await compressFrameAside(content, level);
    return await log.push({
      system: of,
      name,
      frame,
      bytes: content.length,
      sha256: () => sha256,
    });
  }

  /** @returns the content, until the next call; null when it cannot be had, or is none */
  #read({ directory, name }: OwnFile): Uint8Array | null {
    const { files } = this.#parts;
    try {
      const descriptor = files.open(AT_CWD, `${directory}/${name}`, OPENING);
      try {
        const { type, sizeBytes } = files.statDescriptor(descriptor);
        if (type !== "file" || sizeBytes < 1 || sizeBytes > WAL_FILE_BYTES_MAX) return null;
        if (this.#room === null || this.#room.length < sizeBytes) {
          this.#room = new Uint8Array(sizeBytes);
        }
        const content = this.#room.subarray(0, sizeBytes);
        for (let count = 0; count < sizeBytes;) {
          const more = files.readAt(descriptor, count, content.subarray(count));
          if (more === 0) return null;
          count += more;
        }
        return content;
      } finally {
        files.close(descriptor);
      }
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  /** Finds what is ready after a file, when all that was found before is done. */
  #lookAhead(after: OwnFile): void {
    if (this.#next.length > 0 || this.#kept.size > 0) return;
    const names = readyNames(this.#parts.files, `${after.directory}/archive_status`)
      .filter((name) => name !== after.name).sort();
    this.#next = names.slice(0, WAL_AHEAD_MAX).map((name) => ({ ...after, name }));
  }
}

/** Files that PostgreSQL wants to have archived; none when that cannot be seen. */
function readyNames(files: PushAheadParts["files"], path: string): string[] {
  try {
    const descriptor = files.open(AT_CWD, path, { access: "read", directory: true });
    try {
      return files.list(descriptor)
        .map(({ name }) => new TextDecoder().decode(name))
        .filter((name) => name.endsWith(READY))
        .map((name) => name.slice(0, -READY.length))
        .filter((name) => parseWalFileName(name) !== null);
    } finally {
      files.close(descriptor);
    }
  } catch (error) {
    if (error instanceof SystemError) return [];
    throw error;
  }
}

function keyOf({ directory, name, system, known }: OwnFile): string {
  return JSON.stringify([directory, name, system, known]);
}

function digestOf(content: Uint8Array): FileDigest {
  return {
    bytes: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

function isSame(one: FileDigest, other: FileDigest): boolean {
  return one.bytes === other.bytes && one.sha256 === other.sha256;
}
