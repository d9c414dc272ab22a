// The receiving half of a backup, on the server: writes each record into the vault as it came,
// sends back two cursors (received, and safe on disk), and publishes when all records are there.
// File systems and databases come the same way.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import type { Totals } from "../application/mod.ts";
import {
  JobLink,
  type LinkDocument,
  SKIPPED_CHARACTERS_MAX,
  WARNINGS_MAX,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { Warning } from "../control/daemon.ts";
import type { Skipped } from "../media/mod.ts";
import type { BackupRange } from "../wal/mod.ts";
import { backupRangeOf } from "./await_log.ts";
import type { DataRecord } from "../record.ts";
import type { BackupWriter } from "../vault/mod.ts";
import type { ParentSource } from "./parent_source.ts";

export interface ReceiveBackupOptions {
  readonly link: JobLink;
  /** Ended here. */
  readonly writer: BackupWriter;
  /** Rows of the parent of an incremental backup. */
  readonly parent: ParentSource | null;
  /** False when the client may send before it asks for rows: the rest of a member comes first. */
  readonly mustAsk: boolean;
  /** Waits for the log that a cluster archives here. @returns what is missing; null: it does not */
  readonly awaitLog?: (
    range: BackupRange,
    signal: AbortSignal,
  ) => Promise<readonly string[] | null>;
}

/**
 * Receives and publishes one backup; tells the client the result.
 * @throws AgentError what the client reports, and `reset` | `no_space` | `failed` | `cancelled`;
 * nothing is published then, and the next backup of a file system goes on from there
 */
export async function receiveBackup(
  session: WorkerSession,
  options: ReceiveBackupOptions,
): Promise<WorkerResult> {
  const { clock } = session.runtime;
  const startMs = clock.monotonicMs();
  using writer = options.writer;
  const receipt = new Receipt(session, options);
  try {
    await receipt.receiveAll();
  } catch (error) {
    // Whatever the client cannot go on with must not meet it again.
    if (error instanceof AgentError && error.code === "damaged") writer.abort();
    throw error;
  }
  const { range } = receipt;
  const missing = range === null ? null : await missingLog(range, options);
  receipt.missLog(missing ?? []);
  session.throwIfCancelled();
  session.committing();
  await options.link.sayBusy(); // Publication keeps this thread busy for as long as the disk takes.
  const status = receipt.incomplete ? "incomplete" : "ok";
  const published = writer.publish({
    status,
    files: receipt.files,
    bytes: receipt.bytes,
    seconds: (clock.monotonicMs() - startMs) / 1000,
    channels: session.channels(),
    fallback: session.fallback?.reason ?? null,
    skipped: receipt.skipped,
    skippedCount: receipt.skippedCount,
  }, range === null ? null : { ...range, archived: missing !== null });
  const result: WorkerResult = {
    status,
    backup: published.backup,
    files: receipt.files,
    bytes: receipt.bytes,
    ...(receipt.kept === null ? {} : { resumed: receipt.kept }),
  };
  const { backup, files: fileCount, bytes } = published;
  try {
    await options.link.send({ type: "result", backup, status, files: fileCount, bytes });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    // It is published all the same: only the client's own report of the job says otherwise.
    const message = `the client was not told of the backup: ${error.message}`;
    session.warn({ code: "untold", message, path: null });
  }
  return result;
}

/**
 * What `awaitLog` finds. A client that gives up meanwhile, or is gone, has no backup.
 * @throws AgentError why it ended
 */
async function missingLog(
  range: BackupRange,
  { link, awaitLog }: ReceiveBackupOptions,
): Promise<readonly string[] | null> {
  if (awaitLog === undefined) return null;
  return await link.meanwhile((signal) => awaitLog(range, signal));
}

/** What has arrived of one backup. */
class Receipt {
  readonly #session: WorkerSession;
  readonly #link: JobLink;
  readonly #writer: BackupWriter;
  readonly #parent: ParentSource | null;
  readonly #mustAsk: boolean;
  #records = 0;
  #warnings = 0;
  /** Counts of records and warnings that the client sent; null until it says so. */
  #announced: Extract<LinkDocument, { type: "end" }> | null = null;
  #totals: { totalFiles: number | null; totalBytes: number | null };
  files = 0;
  bytes = 0;
  /** Of these, what was there already from a backup that was cut. */
  kept: Totals | null = null;
  incomplete = false;
  skippedCount = 0;
  readonly skipped: Skipped[] = [];
  #skippedCharacters = 0;
  /** Of a PostgreSQL cluster: the part of its log that the backup needs. */
  range: BackupRange | null = null;

  constructor(session: WorkerSession, parts: ReceiveBackupOptions) {
    this.#session = session;
    this.#link = parts.link;
    this.#writer = parts.writer;
    this.#parent = parts.parent;
    this.#mustAsk = parts.mustAsk;
    this.#totals = { totalFiles: null, totalBytes: null };
  }

  async receiveAll(): Promise<void> {
    while (!this.#isComplete()) {
      const message = await this.#link.receive();
      this.#session.throwIfCancelled();
      if (message.kind === "data") await this.#take(message.record);
      else if (message.kind === "document") await this.#read(message.document);
      else throw new AgentError("reset", "Cannot go on with the backup: found a restore record");
    }
    const { totals, kept } = this.#announced ?? {};
    if (totals === undefined) return;
    this.files = totals.files;
    this.bytes = totals.bytes;
    this.kept = kept === undefined || kept.files === 0 ? null : kept;
  }

  /** The backup restores, but cannot be recovered beyond its end. */
  missLog(names: readonly string[]): void {
    for (const name of names) {
      const message = `"${name}" of the write-ahead log is not in the archive`;
      this.#miss({ code: "wal_missing", message, path: name });
    }
  }

  /** Records, warnings and the end come on up to three connections, in any order. */
  #isComplete(): boolean {
    const end = this.#announced;
    return end !== null && this.#records >= end.records && this.#warnings >= (end.warnings ?? 0);
  }

  async #take(record: DataRecord): Promise<void> {
    if (this.#mustAsk && this.#parent?.isAsked === false) throw fullOnly();
    this.#writer.append(record);
    this.#records += 1;
    this.files += record.rowCount;
    this.bytes += record.contentBytes;
    this.#session.progress({
      phase: "reading",
      files: this.files,
      bytes: this.bytes,
      ...this.#totals,
    });
    await this.#link.acknowledge(this.#writer.syncedSequence + 1);
  }

  async #read(document: LinkDocument): Promise<void> {
    if (document.type === "end") this.#announced = document;
    else if (document.type === "wal-range") {
      this.range = backupRangeOf(document);
    } else if (document.type === "parent-wanted" && this.#parent !== null) {
      await this.#link.sendParent(this.#parent.chunk(document.index));
    } else if (document.type === "progress") {
      const { totalFiles, totalBytes } = document;
      this.#totals = { totalFiles, totalBytes };
    } else if (document.type === "warning") this.#warn(document);
    else if (document.type === "trace") this.#session.addPeerSteps(document.steps);
    else if (document.type === "error") throw fromErrorRecord(document.error);
    else {
      const message = `Cannot go on with the backup: found a "${document.type}" message`;
      throw new AgentError("reset", message);
    }
  }

  #warn(warning: Extract<LinkDocument, { type: "warning" }>): void {
    this.#warnings += 1;
    const path = warning.path === null ? null : textOf(warning.path);
    const { code, message } = warning;
    if (warning.incomplete) this.#miss({ code, message, path });
    else this.#session.warn({ code, message, path });
  }

  #miss({ code, message, path }: Pick<Warning, "code" | "message" | "path">): void {
    this.incomplete = true;
    this.skippedCount += 1;
    this.#skippedCharacters += (path ?? "").length;
    if (this.skipped.length < WARNINGS_MAX && this.#skippedCharacters <= SKIPPED_CHARACTERS_MAX) {
      this.skipped.push({ path: path ?? "", reason: code });
    }
    this.#session.warn({ code, message, path });
  }
}

function fullOnly(): AgentError {
  return new AgentError(
    "mismatch",
    "Cannot make an incremental backup: the client sends everything, need what changed",
    { hint: "Install this release on the client, or back up with `--full`." },
  );
}

/** The path as text; bytes that are no UTF-8 become replacement characters. */
function textOf(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}
