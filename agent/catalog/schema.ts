// The catalog's tables, and how a connection to them is opened.
//
//   sources      what is backed up: (client, kind, database, sorted paths, selection)
//   backups      one row per published backup; `number` is the order of publication, 1, 2, 3, …
//   directories  every path of a source that is a parent, once, as its key in the order of a walk
//   entries      one row per path and interval of backups in which nothing about it changed
//
// Intervals. A full backup starts a generation, named by its number; each later incremental one
// belongs to the generation of its parent. A row is seen by backup b of its generation when
// first <= b and (end is null or end > b). Unchanged files write nothing; a full backup closes all
// rows of its source by starting a new generation, so old generations are never scanned. The
// backups of a generation are a line: each builds on the one before it.
//
// Invariants:
//  1. A backup and all its rows appear in one transaction: what is here is published, or was and
//     is `expired`: then it is there for the sake of others that see rows of its media file.
//  2. `media` and the tar columns say which media file holds the member; for a hard link that is a
//     member without data, and `target` names the one that has it.
//  3. Everything can be made again from the media files, identically; so a catalog of an older
//     version is not converted but emptied, and the vault reads its media again.
//
// Paths, names and targets are BLOBs: names need not be UTF-8. Times are split into seconds and
// nanoseconds so that every one that a file system knows fits and reads as a plain number. The
// parent of "/" is the empty path. The primary key orders a directory's children, so that a
// listing is one range scan, and the directories' keys (walk_order.ts) make a backup in the order
// of a walk one scan of both, and a subtree one range.

import { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../transport/ground/error.ts";
import { BUSY_TIMEOUT_MS, JOURNAL_KEEP_BYTES, PAGE_CACHE_KIB } from "./limits.ts";
import { catalogError } from "./sqlite_error.ts";

const SCHEMA_VERSION = 4;

const TABLES = ["entries", "directories", "backups", "sources"] as const;

/** @param schema the database of a connection in which to create them */
const tablesIn = (schema: string): string => `
  CREATE TABLE ${schema}.sources (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    kind TEXT NOT NULL,
    database TEXT,
    paths TEXT NOT NULL,
    exclude TEXT NOT NULL,
    exclude_caches INTEGER NOT NULL,
    one_file_system INTEGER NOT NULL,
    exclude_larger_than INTEGER,
    ignore_file TEXT
  ) STRICT;
  CREATE TABLE ${schema}.backups (
    number INTEGER PRIMARY KEY,
    backup TEXT NOT NULL UNIQUE,
    source INTEGER NOT NULL REFERENCES sources (id),
    generation INTEGER NOT NULL,
    parent INTEGER,
    expired INTEGER NOT NULL DEFAULT 0,
    pinned INTEGER NOT NULL DEFAULT 0,
    drill TEXT,
    started_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    seconds REAL NOT NULL,
    network_bytes INTEGER NOT NULL,
    storage_bytes INTEGER NOT NULL,
    fallback TEXT,
    skipped_count INTEGER NOT NULL,
    skipped TEXT NOT NULL,
    media_bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE ${schema}.directories (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources (id),
    key BLOB NOT NULL,
    UNIQUE (source, key)
  ) STRICT;
  CREATE TABLE ${schema}.entries (
    generation INTEGER NOT NULL,
    directory INTEGER NOT NULL,
    name BLOB NOT NULL,
    first INTEGER NOT NULL,
    "end" INTEGER,
    type INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_s INTEGER NOT NULL,
    mtime_n INTEGER NOT NULL,
    ctime_s INTEGER NOT NULL,
    ctime_n INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    target BLOB,
    rdev TEXT,
    media INTEGER NOT NULL,
    tar_offset INTEGER NOT NULL,
    tar_bytes INTEGER NOT NULL,
    unsettled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, directory, name, first)
  ) STRICT, WITHOUT ROWID;
  PRAGMA ${schema}.user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the catalog's database and creates its tables when there are none.
 * @throws AgentError `damaged` | `no_space` | `busy` | `failed` | `unsupported` (newer version)
 */
export function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    // Write-ahead logging lets readers go on during an import; FULL makes a commit durable.
    database.exec(`
      PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA cache_size = -${PAGE_CACHE_KIB};
      PRAGMA journal_size_limit = ${JOURNAL_KEEP_BYTES};
    `);
    prepareSchema(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw catalogError(error, `open catalog "${path}"`);
  }
}

function prepareSchema(database: DatabaseSync, path: string): void {
  const version = readVersion(database);
  if (version > SCHEMA_VERSION) {
    throw new AgentError(
      "unsupported",
      `Cannot open catalog "${path}": version ${version}, need ${SCHEMA_VERSION} or older`,
      { hint: "Use the agent that wrote it, or a newer one." },
    );
  }
  if (version === SCHEMA_VERSION) return;
  inTransaction(database, () => {
    // Another connection may have created the tables while this one waited for the lock.
    const found = readVersion(database);
    if (found === SCHEMA_VERSION) return;
    if (found > 0) database.exec(TABLES.map((table) => `DROP TABLE ${table};`).join(""));
    createTables(database, "main");
  });
}

function readVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/** The tables of a catalog in a database of the connection that has none. */
export function createTables(database: DatabaseSync, schema: string): void {
  database.exec(tablesIn(schema));
}

/**
 * Runs `body` in one write transaction: all of it or nothing.
 * @param begin `IMMEDIATE` takes the catalog's lock at once; `DEFERRED` only when it is written
 */
export function inTransaction<T>(
  database: DatabaseSync,
  body: () => T,
  begin: "IMMEDIATE" | "DEFERRED" = "IMMEDIATE",
): T {
  database.exec(`BEGIN ${begin}`);
  try {
    const result = body();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
    throw error;
  }
}
