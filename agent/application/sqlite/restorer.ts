// The consumer of a database restore: one member, written beside the destination, proved by
// integrity_check, then put in place of what is there.
//
// Invariants: the destination is the old database or the whole new one at any moment, also after
// a crash; a log or journal of the old one never meets the new one (it is brought into the old one,
// whose exclusive lock is held until the new one has its name); a database in use is refused.

import { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../../transport/ground/error.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Entry } from "../../entry.ts";
import type { TarPieces } from "../../record.ts";
import type { SparseMap } from "../../tar/mod.ts";
import type { ApplicationWarning, Consumer, Totals } from "../application.ts";
import { Attributes } from "../attributes.ts";
import { FileWriter } from "../file_writer.ts";
import { openTarget } from "../open_target.ts";
import { hasErrno, Placement } from "../placement.ts";
import { RecordReader } from "../record_reader.ts";
import { findHolder } from "./find_holder.ts";
import { fromSqlite, sqliteCode } from "./sqlite_error.ts";

const SQLITE_NOTADB = 26;
const SQLITE_CORRUPT = 11;
/** Empties log and journal, and notices connections: idle ones in WAL mode, others that write. */
const LOOK = `PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;
  PRAGMA wal_checkpoint(TRUNCATE)`;
/** Names that SQLite keeps beside a database. */
const SIDE_FILES = ["-wal", "-shm", "-journal"];

export interface SqliteRestorerOptions {
  readonly files: Files;
  /** Full path of the database to write; missing parents are made. */
  readonly destination: string;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

export class SqliteRestorer implements Consumer {
  readonly #files: Files;
  readonly #destination: string;
  readonly #folder: string;
  readonly #name: string;
  readonly #directory: number;
  readonly #attributes: Attributes;
  readonly #placement: Placement;
  readonly #reader: RecordReader;
  #writer: FileWriter | null = null;
  #members = 0;
  #done = false;

  /** @throws AgentError `busy` when a program holds the destination, `failed` */
  constructor(options: SqliteRestorerOptions) {
    const slash = options.destination.lastIndexOf("/");
    this.#files = options.files;
    this.#destination = options.destination;
    this.#folder = options.destination.slice(0, slash) || "/";
    this.#name = options.destination.slice(slash + 1);
    this.#attributes = new Attributes(options.files, options.onWarning);
    this.#placement = new Placement(options.files);
    this.#directory = openTarget(options.files, this.#folder);
    this.#reader = new RecordReader({
      member: (entry, { sparse }) => this.#onMember(entry, sparse),
      data: (bytes) => this.#writer?.write(bytes),
      end: () => {},
      lost: () => {
        throw this.#damaged("a part of it that cannot be read");
      },
    });
    try {
      this.#open((database) => database.exec(LOOK))?.close();
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  feed(frame: TarPieces): void {
    this.#translate(() => this.#reader.feed(frame));
  }

  written(): Totals {
    return { files: 0, bytes: this.#writer?.contentBytes ?? 0 };
  }

  finish(): Totals {
    this.#reader.finish();
    const writer = this.#writer;
    if (writer === null) throw this.#damaged("no database in the stream");
    this.#translate(() => {
      writer.prepare(this.#attributes);
      this.#check(writer.temporary);
      this.#replace(writer);
    });
    this.#writer = null;
    this.#close();
    return { files: 1, bytes: writer.contentBytes };
  }

  abort(): void {
    if (this.#done) return;
    const writer = this.#writer;
    this.#writer = null;
    if (writer !== null) {
      writer.discard();
      this.#removeSideFiles(writer.temporary);
    }
    this.#close();
  }

  #onMember(entry: Entry, sparse: SparseMap | null): void {
    if (entry.type !== "file" || ++this.#members > 1) {
      throw this.#damaged("more than one file in the stream");
    }
    const services = { files: this.#files, placement: this.#placement };
    const name = new TextEncoder().encode(this.#name);
    this.#writer = new FileWriter(services, {
      directory: this.#directory,
      name,
      entry,
      sparse,
      xattrs: null,
    });
  }

  /** Proves that the copy is a sound database. */
  #check(temporary: string): void {
    const database = new DatabaseSync(`${this.#folder}/${temporary}`);
    let verdict: unknown;
    try {
      verdict = database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
    } finally {
      database.close();
      this.#removeSideFiles(temporary);
    }
    if (verdict !== "ok") throw this.#damaged(`integrity_check "${verdict}"`);
  }

  /**
   * Gives the new database its name. Nobody gets into the old one meanwhile, which has no log any
   * more: one that closes in WAL mode would delete that of whoever opened the new one first.
   */
  #replace(writer: FileWriter): void {
    const old = this.#open((database) => {
      const mode = database.prepare("PRAGMA journal_mode = DELETE").get()?.["journal_mode"];
      if (mode !== "delete") throw this.#inUse(`journal mode "${mode}" held by another connection`);
      database.exec("BEGIN EXCLUSIVE");
    });
    try {
      this.#removeSideFiles(this.#name);
      this.#files.sync(this.#directory); // A crash must not bring them back beside the new one.
      writer.place();
    } finally {
      old?.close();
    }
    this.#files.sync(this.#directory);
  }

  /**
   * Opens the old database, of which nobody else may have a connection.
   * @returns null when there is none
   * @throws AgentError `busy`
   */
  #open(lock: (database: DatabaseSync) => void): DatabaseSync | null {
    const name = new TextEncoder().encode(this.#name);
    if (!this.#placement.exists(this.#directory, name)) return null;
    const holder = findHolder(this.#files, this.#destination);
    if (holder !== null) throw this.#inUse(`it open in process ${holder.pid} as "${holder.path}"`);
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(this.#destination);
      database.exec("PRAGMA busy_timeout = 0");
      lock(database);
      return database;
    } catch (error) {
      database?.close();
      // What is no database cannot be in use as one: it is replaced.
      const code = sqliteCode(error);
      if (code === SQLITE_NOTADB || code === SQLITE_CORRUPT) return null;
      throw fromSqlite(error, `replace database "${this.#destination}"`);
    }
  }

  #removeSideFiles(name: string): void {
    for (const suffix of SIDE_FILES) {
      try {
        this.#files.unlink(this.#directory, name + suffix);
      } catch (error) {
        if (!hasErrno(error, "ENOENT")) throw error;
      }
    }
  }

  #translate(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (sqliteCode(error) !== null) {
        throw fromSqlite(error, `restore database "${this.#destination}"`);
      }
      if (!(error instanceof SystemError)) throw error;
      const code = hasErrno(error, "ENOSPC", "EDQUOT") ? "no_space" : "failed";
      const found = `${error.syscall}: ${error.errno}`;
      const message = `Cannot restore database "${this.#destination}": found ${found}, ` +
        "need a directory that takes it";
      throw new AgentError(code, message, { cause: error });
    }
  }

  #inUse(found: string): AgentError {
    const message =
      `Cannot replace database "${this.#destination}": found ${found}, need it closed`;
    return new AgentError("busy", message, { hint: "End the programs that hold the database." });
  }

  #damaged(found: string): AgentError {
    const message = `Cannot restore database "${this.#destination}": found ${found}, ` +
      "need one sound database";
    return new AgentError("damaged", message, {
      hint: "Run `agent verify --data` for the backup.",
    });
  }

  #close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#files.close(this.#directory);
  }
}
