// An SQLite database in a job: a snapshot in the spool directory is backed up, and a restore writes
// one file.

import { AgentError, AT_CWD, type Files, SystemError } from "../../transport/mod.ts";
import {
  type Consumer,
  produceSqlite,
  snapshotSqlite,
  SqliteRestorer,
} from "../application/mod.ts";
import type { DatabaseEntry } from "../config/mod.ts";
import { isThere } from "../is_there.ts";
import type {
  DatabaseKind,
  PrepareDatabase,
  PreparedDatabase,
  RestoreDatabase,
} from "./database_kind.ts";
import { SpoolFile, type SpoolPlace } from "./spool_file.ts";

export class SqliteDatabase implements DatabaseKind {
  readonly kind = "sqlite";
  readonly path: string;
  readonly #files: Files;
  readonly #spool: SpoolFile;

  constructor(
    files: Files,
    entry: Extract<DatabaseEntry, { kind: "sqlite" }>,
    spool: SpoolPlace & { readonly job: string },
  ) {
    this.#files = files;
    this.path = entry.path;
    this.#spool = new SpoolFile(files, spool);
  }

  prepare({ frameBytes, signal }: PrepareDatabase): PreparedDatabase {
    const snapshot = { source: this.path, spool: this.#spool.path, files: this.#files };
    snapshotSqlite(snapshot);
    const totals = { totalFiles: 1, totalBytes: this.#spool.sizeBytes() };
    return { producer: produceSqlite({ ...snapshot, frameBytes, signal }), totals };
  }

  restorer({ target, tablespaces, places, onWarning }: RestoreDatabase): Consumer {
    if (tablespaces.length > 0) {
      const message = `Cannot restore "${this.path}": found --tablespace, need a cluster for it`;
      throw new AgentError("usage", message, { hint: "Leave out --tablespace." });
    }
    if (target !== null) requireEmpty(this.#files, target);
    else if (isThere(this.#files, this.path)) places.requireOwn(this.path, "always");
    const name = this.path.slice(this.path.lastIndexOf("/") + 1);
    const destination = target === null ? this.path : `${target}/${name}`;
    return new SqliteRestorer({ files: this.#files, destination, onWarning });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#spool[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** @throws AgentError `failed` when there is something in the directory */
function requireEmpty(files: Files, target: string): void {
  let descriptor: number;
  try {
    descriptor = files.open(AT_CWD, target, { access: "read", directory: true });
  } catch (error) {
    // What is not there is made; what is no directory fails there, with its name.
    if (error instanceof SystemError) return;
    throw error;
  }
  const entries = files.list(descriptor).length;
  files.close(descriptor);
  if (entries === 0) return;
  const message = `Cannot restore to "${target}": found files in it, need it empty`;
  throw new AgentError("failed", message, {
    hint: "Name an empty directory, or leave out --target to replace the database in place.",
  });
}
