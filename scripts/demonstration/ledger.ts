// The demo's database: an SQLite ledger that can prove whether a copy of it is whole.
//
// Invariants of every committed state:
//  1. Rows are numbered 1, 2, 3, … without a gap, and each carries the CRC-32 of its payload.
//  2. The one row of `total` has the count of rows and the sum of their checksums: it is changed
//     in the transaction that adds the rows, so a copy that caught half of one shows it.

import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";

/** Bytes of payload in a row. */
const PAYLOAD_BYTES = 1000;
/** Rows that one transaction adds. */
export const ROWS_PER_TRANSACTION = 20;

const SCHEMA = `
  CREATE TABLE entry (
    id INTEGER PRIMARY KEY, payload BLOB NOT NULL, checksum INTEGER NOT NULL
  );
  CREATE TABLE total (one INTEGER PRIMARY KEY, entries INTEGER, checksums INTEGER);
  INSERT INTO total VALUES (1, 0, 0);
`;

/** Bytes that look random, hardly compress, and follow from the number of the row. */
function payloadOf(id: number): Uint8Array {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  let state = Math.imul(id, 2654435761) | 1;
  for (let at = 0; at < payload.length; at += 1) {
    // Marsaglia's xorshift with 32 bits.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    payload[at] = state >>> 11;
  }
  return payload;
}

/** An open ledger that rows can be added to. */
export class Ledger implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec("PRAGMA busy_timeout = 10000");
  }

  /** Makes a new ledger of at least `sizeBytes`. */
  static create(path: string, sizeBytes: number): Ledger {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(SCHEMA);
    const ledger = new Ledger(database);
    for (let rows = 0; rows * PAYLOAD_BYTES < sizeBytes; rows += 1000) ledger.append(1000);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return ledger;
  }

  static open(path: string): Ledger {
    return new Ledger(new DatabaseSync(path));
  }

  /** Adds `count` rows in one transaction. */
  append(count: number): void {
    this.#database.exec("BEGIN IMMEDIATE");
    const next = this.count() + 1;
    const insert = this.#database.prepare("INSERT INTO entry VALUES (?, ?, ?)");
    let sum = 0;
    for (let id = next; id < next + count; id += 1) {
      const payload = payloadOf(id);
      const checksum = crc32(payload);
      insert.run(id, payload, checksum);
      sum += checksum;
    }
    this.#database
      .prepare("UPDATE total SET entries = entries + ?, checksums = checksums + ?")
      .run(count, sum);
    this.#database.exec("COMMIT");
  }

  /** Count of committed rows. */
  count(): number {
    return Number(this.#database.prepare("SELECT entries FROM total").get()?.["entries"] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** What is wrong with the copy at `path`, as sentences; none when it is a committed state. */
export function checkLedger(
  path: string,
  wanted: { readonly atLeast: number; readonly atMost: number },
): string[] {
  const problems: string[] = [];
  const database = new DatabaseSync(path);
  try {
    for (const row of database.prepare("PRAGMA integrity_check").all()) {
      if (row["integrity_check"] !== "ok") problems.push(`integrity: ${row["integrity_check"]}`);
    }
    let rows = 0;
    let sum = 0;
    for (const row of database.prepare("SELECT * FROM entry ORDER BY id").iterate()) {
      rows += 1;
      if (row["id"] !== rows) problems.push(`row ${row["id"]} stands where ${rows} belongs`);
      const payload = row["payload"];
      const checksum = payload instanceof Uint8Array ? crc32(payload) : -1;
      if (checksum !== row["checksum"]) problems.push(`row ${rows} is damaged`);
      sum += checksum;
      if (problems.length > 9) return problems;
    }
    const total = database.prepare("SELECT * FROM total").get();
    if (total?.["entries"] !== rows) {
      problems.push(`${rows} rows, but ${total?.["entries"]} counted`);
    }
    if (total?.["checksums"] !== sum) problems.push("the sum of the checksums is another");
    if (rows < wanted.atLeast || rows > wanted.atMost) {
      problems.push(`${rows} rows, need ${wanted.atLeast} to ${wanted.atMost}`);
    }
  } catch (error) {
    problems.push(String(error));
  } finally {
    database.close();
  }
  return problems;
}
