// A program that keeps writing to a database, as an application does: each transaction moves money
// between two accounts, appends to a log and counts it. So a snapshot is consistent exactly when
// the sum of the balances is BALANCE and the counter equals the last number of the log.
//
// Nothing is checkpointed while it runs: what it wrote is only in the write-ahead log.

import { DatabaseSync } from "node:sqlite";

/** Sum of all balances, always. */
export const BALANCE = 1_000_000;

/** Lets the event loop see signals and a closed standard input. */
const PAUSE_MS = 2;

const SCHEMA = `
CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE log (number INTEGER PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE counter (value INTEGER NOT NULL);
CREATE TABLE bulk (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO account VALUES (1, ${BALANCE}), (2, 0);
INSERT INTO counter VALUES (0);
`;

/** Makes a database in WAL mode with `mebibytes` of data that do not compress. */
export function makeDatabase(path: string, mebibytes: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${SCHEMA}`);
  const insert = database.prepare("INSERT INTO bulk (data) VALUES (randomblob(1048576))");
  for (let count = 0; count < mebibytes; count += 1) insert.run();
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

export interface DatabaseFacts {
  readonly integrity: string;
  readonly balance: number;
  readonly lastNumber: number;
  readonly counter: number;
  readonly bulkBytes: number;
}

/** What a database holds; opening it replays its write-ahead log, if there is one. */
export function readDatabase(path: string): DatabaseFacts {
  const database = new DatabaseSync(path);
  try {
    const one = (sql: string): unknown => Object.values(database.prepare(sql).get() ?? {})[0];
    return {
      integrity: String(one("PRAGMA integrity_check")),
      balance: Number(one("SELECT sum(balance) FROM account")),
      lastNumber: Number(one("SELECT coalesce(max(number), 0) FROM log")),
      counter: Number(one("SELECT value FROM counter")),
      bulkBytes: Number(one("SELECT coalesce(sum(length(data)), 0) FROM bulk")),
    };
  } finally {
    database.close();
  }
}

async function write(path: string): Promise<void> {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA busy_timeout = 10000; PRAGMA wal_autocheckpoint = 0");
  for (let number = 1;; number += 1) {
    database.exec(`BEGIN IMMEDIATE;
      UPDATE account SET balance = balance - 1 WHERE id = 1;
      UPDATE account SET balance = balance + 1 WHERE id = 2;
      INSERT INTO log SELECT coalesce(max(number), 0) + 1, 'note' FROM log;
      UPDATE counter SET value = value + 1;
      COMMIT`);
    if (number === 20) process.stdout.write("writing\n");
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

const [path] = process.argv.slice(2);
if (import.meta.main && path !== undefined) await write(path);
