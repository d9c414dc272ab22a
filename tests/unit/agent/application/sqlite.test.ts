// SQLite: consistent copies under load, rows that are only in the log, atomic replacement.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  produceSqlite,
  snapshotSqlite,
  SqliteRestorer,
} from "../../../../agent/application/mod.ts";
import {
  collect,
  files,
  makeFolder,
  removeFolder,
  restoreAll,
  shell,
  withFaults,
} from "./fixture.ts";

let folder = "";
let source = "";
let spool = "";
beforeEach(() => {
  folder = makeFolder();
  source = join(folder, "app.db");
  spool = join(folder, "spool");
});
afterEach(() => removeFolder(folder));

function backUp() {
  snapshotSqlite({ files, source, spool });
  return collect(produceSqlite({ files, source, spool, frameBytes: 8192 }));
}

function restorer(destination: string): SqliteRestorer {
  return new SqliteRestorer({ files, destination, onWarning: () => {} });
}

const noWarning = () => {};

function query(path: string, sql: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Object.values(database.prepare(sql).get() ?? {})[0];
  } finally {
    database.close();
  }
}

describe("SQLite", () => {
  test("a restore has the rows that were only in the write-ahead log", () => {
    const open = new DatabaseSync(source);
    open.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
    open.exec("INSERT INTO t VALUES (1), (2), (3)");
    chmodSync(source, 0o640);
    try {
      expect(statSync(`${source}-wal`).size).toBeGreaterThan(0);
      const made = backUp();
      expect(made.rows.length).toBe(1);
      const target = join(folder, "new/place/app.db");
      restoreAll(made, restorer(target));
      expect(query(target, "SELECT count(*) FROM t")).toBe(3);
      expect(query(target, "PRAGMA journal_mode")).toBe("wal");
      const [before, after] = [source, target].map((path) => statSync(path, { bigint: true }));
      expect(after?.mtimeNs).toBe(before?.mtimeNs ?? -1n);
      expect(after?.mode).toBe(before?.mode ?? -1n);
    } finally {
      open.close();
    }
  });

  test("a copy is consistent while another process writes", async () => {
    shell(
      folder,
      `sqlite3 app.db "PRAGMA journal_mode=WAL; CREATE TABLE a(x); CREATE TABLE b(x);"`,
    );
    const loop = `while :; do sqlite3 -cmd '.timeout 5000' app.db \
      "BEGIN IMMEDIATE; INSERT INTO a VALUES (randomblob(2000)); INSERT INTO b VALUES (1);
      COMMIT;"; echo; done`;
    const writer = spawn("bash", ["-c", loop], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(writer, "close"); // Of the shell, and of the writer that it started last.
    try {
      await once(writer.stdout, "data");
      for (let round = 0; round < 5; round++) {
        restoreAll(backUp(), restorer(join(folder, "copy.db")));
        const [a, b] = ["a", "b"].map((table) =>
          query(join(folder, "copy.db"), `SELECT count(*) FROM ${table}`)
        );
        expect(a).toBe(b);
      }
    } finally {
      writer.kill("SIGKILL");
      await ended;
    }
  });

  test("SqliteRestorer replaces a database and its log, and leaves nothing beside it", () => {
    shell(folder, `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('new');"`);
    const made = backUp();
    // A writer that was killed leaves its log behind.
    const sql = "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES ('old');";
    shell(folder, `mkdir in; sqlite3 in/app.db "${sql}" '.shell kill -9 $PPID' || true`);
    expect(statSync(join(folder, "in/app.db-wal")).size).toBeGreaterThan(0);
    restoreAll(made, restorer(join(folder, "in/app.db")));
    expect(query(join(folder, "in/app.db"), "SELECT x FROM t")).toBe("new");
    expect(readdirSync(join(folder, "in"))).toEqual(["app.db"]);
  });

  test("SqliteRestorer throws busy and changes nothing when a connection is open", () => {
    shell(folder, `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('new');"`);
    const target = join(folder, "held.db");
    const open = new DatabaseSync(target);
    try {
      open.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES ('old')");
      expect(() => restorer(target)).toThrow("Cannot replace database");
      expect(open.prepare("SELECT x FROM t").get()?.["x"]).toBe("old");
    } finally {
      open.close();
    }
  });

  test("SqliteRestorer throws busy while another process has the file open, holding no lock", async () => {
    shell(folder, `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('new');"`);
    const made = backUp();
    const target = join(folder, "held.db");
    shell(folder, `sqlite3 held.db "CREATE TABLE t(x); INSERT INTO t VALUES ('old');"`);
    const late = restorer(target);
    const holder = spawn("sh", ["-c", "exec 3<held.db; echo; cat"], { cwd: folder });
    const ended = once(holder, "close");
    try {
      await once(holder.stdout, "data");
      expect(() => restorer(target)).toThrow(new RegExp(`process ${holder.pid} `));
      expect(() => restoreAll(made, late)).toThrow(new RegExp(`process ${holder.pid} `));
      late.abort();
      expect(query(target, "SELECT x FROM t")).toBe("old");
    } finally {
      holder.stdin.end();
      await ended;
    }
    restoreAll(made, restorer(target));
    expect(query(target, "SELECT x FROM t")).toBe("new");
  });

  test("SqliteRestorer lets nobody into the old database between its journal and the new one", () => {
    shell(folder, `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('new');"`);
    const made = backUp();
    for (const mode of ["DELETE", "PERSIST", "WAL"]) {
      const target = join(folder, `${mode}.db`);
      const old = "CREATE TABLE t(x); INSERT INTO t VALUES ('old');";
      shell(folder, `sqlite3 ${mode}.db "PRAGMA journal_mode = ${mode}; ${old}"`);
      const writes: string[] = [];
      const watched = withFaults({
        rename: (...to) => {
          const write = "sqlite3 -bail $0 \"INSERT INTO t VALUES ('late')\" 2>&1 || true";
          writes.push(shell(folder, write.replace("$0", target)));
          files.rename(...to);
        },
      });
      restoreAll(
        made,
        new SqliteRestorer({ files: watched, destination: target, onWarning: noWarning }),
      );
      expect([mode, writes.length, writes[0]])
        .toEqual([mode, 1, expect.stringContaining("database is locked")]);
      expect(query(target, "SELECT group_concat(x) FROM t")).toBe("new");
      expect(readdirSync(folder).filter((name) => name.startsWith(`${mode}.db-`))).toEqual([]);
    }
  });

  test("SqliteRestorer removes a journal that stands where no database is", () => {
    shell(folder, `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('new');"`);
    const made = backUp();
    mkdirSync(join(folder, "in"));
    for (const side of ["-journal", "-wal"]) writeFileSync(join(folder, `in/app.db${side}`), "old");
    const removed: string[] = [];
    let wasSynced = false;
    const watched = withFaults({
      unlink: (...one) => {
        removed.push(String(one[1]));
        wasSynced = false;
        files.unlink(...one);
      },
      sync: (descriptor) => {
        wasSynced = true;
        files.sync(descriptor);
      },
      rename: (...to) => {
        expect([removed.includes("app.db-journal"), wasSynced]).toEqual([true, true]);
        files.rename(...to);
      },
    });
    const destination = join(folder, "in/app.db");
    restoreAll(made, new SqliteRestorer({ files: watched, destination, onWarning: noWarning }));
    expect(readdirSync(join(folder, "in"))).toEqual(["app.db"]);
  });

  test("SqliteRestorer keeps the old database when the new one is damaged or incomplete", () => {
    shell(
      folder,
      `sqlite3 app.db "CREATE TABLE t(x); INSERT INTO t SELECT randomblob(900) FROM
      generate_series(1, 100);"`,
    );
    snapshotSqlite({ files, source, spool });
    shell(folder, "printf garbage | dd of=spool bs=1 seek=8200 conv=notrunc status=none");
    const made = collect(produceSqlite({ files, source, spool }));
    shell(folder, `mkdir in; sqlite3 in/app.db "CREATE TABLE t(x); INSERT INTO t VALUES ('old');"`);
    const damaged = restorer(join(folder, "in/app.db"));
    expect(() => restoreAll(made, damaged)).toThrow("integrity_check");
    damaged.abort();
    const short = restorer(join(folder, "in/app.db"));
    expect(() => restoreAll({ ...made, records: [] }, short)).toThrow("no database");
    short.abort();
    short.abort();
    expect(query(join(folder, "in/app.db"), "SELECT x FROM t")).toBe("old");
    expect(readdirSync(join(folder, "in"))).toEqual(["app.db"]);
  });

  test("snapshotSqlite() names what is wrong when the source is no database or missing", () => {
    expect(() => snapshotSqlite({ files, source, spool })).toThrow("ENOENT");
    writeFileSync(source, "this is not a database, it only stands where one should".repeat(50));
    expect(() => snapshotSqlite({ files, source, spool })).toThrow("Cannot back up database");
    expect(existsSync(spool)).toBe(false);
  });

  test("snapshotSqlite() names the spool and its key when it cannot be written", () => {
    shell(folder, "sqlite3 app.db 'CREATE TABLE t(x)'");
    const missing = join(folder, "none/spool");
    let error: unknown;
    try {
      snapshotSqlite({ files, source, spool: missing });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: "failed",
      message: `Cannot make snapshot "${missing}": found ENOENT, need a directory that can be ` +
        "written to",
      hint: "Set the key `spool` of the client to such a directory.",
    });
  });
});
