// The producer of a PostgreSQL base backup: what the server sends after BASE_BACKUP (PostgreSQL's
// manual, "Streaming Replication Protocol"), as one tar stream of the cluster's own paths.
//
//   'H' copy begins; then 'd' messages whose first byte says what follows it:
//     n  an archive begins: its name NUL, the tablespace's location NUL (empty: the data directory)
//     m  the manifest begins
//     d  bytes of the archive or the manifest
//     p  progress
//   'c' copy ends; an answer with the position where the backup ends; 'Z'
//
// Invariants: the first member is the data directory, the first one of each tablespace its
// location, before anything in them; the manifest, which proves every file, is the last one. A
// backup that the server does not end by 'Z' is an error: what was sent of it is not published.

import { AgentError } from "../../../transport/ground/error.ts";
import type { FileStat } from "../../../transport/runtime/files.ts";
import type { Entry } from "../../entry.ts";
import { decodeRow, decodeTexts, type Message, type Row } from "../../postgresql/mod.ts";
import type { TarFrame } from "../../record.ts";
import type { Producer } from "../application.ts";
import { toEntry } from "../entry_of.ts";
import { FrameAssembler } from "../frame_assembler.ts";
import { MAX_MANIFEST_BYTES } from "../limits.ts";
import { endStream } from "../member_stream.ts";
import { ArchiveMembers } from "./archive_members.ts";

const MANIFEST_NAME = "backup_manifest";
const MANIFEST_MODE = 0o600;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

export interface ProduceBaseBackupOptions {
  /** Where the messages come from: a connection on which a base backup was begun. */
  readonly connection: { next(): Message | null } & Disposable;
  /** Full path of the data directory. */
  readonly data: string;
  /** What a directory of the cluster is: the data directory, or the location of a tablespace. */
  readonly statDirectory: (path: string) => FileStat;
  readonly wallMs: () => number;
  /** Tar bytes of a frame; 1 MiB when left out. */
  readonly frameBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told where the log stands at the end of the backup. */
  readonly onEnd: (row: Row) => void;
}

/** @throws AgentError what the server reports, `damaged` | `reset` | `cancelled` */
export function* produceBaseBackup(options: ProduceBaseBackupOptions): Producer {
  using connection = options.connection;
  const frames = new FrameAssembler(options);
  const backup = new BaseBackup(frames, options);
  for (;;) {
    if (options.signal?.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
    const message = connection.next();
    if (message === null) {
      yield null;
      continue;
    }
    if (message.type === "Z") break;
    yield* backup.take(message);
  }
  backup.finish();
  yield* endStream(frames);
  return frames.totals;
}

class BaseBackup {
  readonly #options: ProduceBaseBackupOptions;
  readonly #members: ArchiveMembers;
  readonly #directory: Entry;
  #phase: "before" | "archives" | "manifest" | "after" = "before";
  #manifest: Uint8Array[] = [];
  #manifestBytes = 0;

  constructor(frames: FrameAssembler, options: ProduceBaseBackupOptions) {
    this.#options = options;
    this.#members = new ArchiveMembers(frames);
    this.#directory = this.#entryOf(options.data);
  }

  /** Takes a message of the server. @returns the frames that are full */
  take({ type, body }: Message): readonly TarFrame[] {
    if (type === "H") this.#begin();
    else if (type === "d") this.#takeData(body);
    else if (type === "c") this.#endCopy();
    else if (type === "D" && this.#phase === "after") this.#options.onEnd(decodeRow(body));
    return this.#members.takeFrames();
  }

  /** @throws AgentError `damaged` when the server ended without a whole backup */
  finish(): void {
    if (this.#phase !== "after") throw damaged(`the end in phase "${this.#phase}"`, "a backup");
  }

  #begin(): void {
    this.#phase = "archives";
    this.#members.add(this.#directory, NOTHING);
  }

  #takeData(body: Uint8Array): void {
    const kind = String.fromCharCode(body[0] ?? 0);
    const rest = body.subarray(1);
    if (kind === "n" && this.#phase === "archives") return this.#beginArchive(rest);
    if (kind === "m" && this.#phase === "archives") {
      this.#members.finish();
      this.#phase = "manifest";
    } else if (kind === "d" && this.#phase === "archives") {
      this.#members.feed(rest);
    } else if (kind === "d" && this.#phase === "manifest") {
      this.#takeManifest(rest);
    } else if (kind !== "p") {
      throw damaged(`"${kind}" in phase "${this.#phase}"`, "what belongs there");
    }
  }

  #beginArchive(names: Uint8Array): void {
    const [, location = ""] = decodeTexts(names, 2);
    if (location === "") return this.#members.begin(this.#directory.path);
    const directory = this.#entryOf(location);
    this.#members.begin(directory.path);
    this.#members.add(directory, NOTHING);
  }

  #takeManifest(bytes: Uint8Array): void {
    this.#manifestBytes += bytes.length;
    if (this.#manifestBytes > MAX_MANIFEST_BYTES) {
      throw damaged("a longer manifest", `at most ${MAX_MANIFEST_BYTES} bytes`);
    }
    this.#manifest.push(bytes.slice());
  }

  #endCopy(): void {
    if (this.#phase !== "manifest") throw damaged("no manifest", "one");
    const content = new Uint8Array(this.#manifestBytes);
    let at = 0;
    for (const part of this.#manifest) {
      content.set(part, at);
      at += part.length;
    }
    this.#members.add({
      ...this.#directory,
      path: encoder.encode(`${this.#options.data}/${MANIFEST_NAME}`),
      type: "file",
      mode: MANIFEST_MODE,
      sizeBytes: content.length,
      mtimeNs: BigInt(this.#options.wallMs()) * 1_000_000n,
    }, content);
    this.#manifest = [];
    this.#phase = "after";
  }

  #entryOf(directory: string): Entry {
    return toEntry(encoder.encode(directory), this.#options.statDirectory(directory), null);
  }
}

function damaged(found: string, needed: string): AgentError {
  const message = `Cannot read PostgreSQL's base backup: found ${found}, need ${needed}`;
  return new AgentError("damaged", message, { hint: "Look into the server's log." });
}
