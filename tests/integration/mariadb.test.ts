// MariaDB as a database of kind command, with the recipes of the README: a dump and a physical
// backup of a server that is written to, each restored into another server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import process from "node:process";
import { Bed } from "./bed.ts";
import { AS_MARIADB, makeMariadbDirectory, MariadbServer } from "./mariadb_server.ts";

const TIMEOUT_MS = 180_000;
const ROWS = 1000;
const TOTAL = ROWS * 100;

const DATABASES = (first: MariadbServer, second: MariadbServer, copy: MariadbServer) => {
  const words = (...parts: readonly string[]) => JSON.stringify([...AS_MARIADB, ...parts]);
  const from = [`--socket=${first.socket}`, "--user=root"];
  const whole = ["--single-transaction", "--quick", "--routines", "--events"];
  const dump = ["mariadb-dump", "--no-defaults", ...from, ...whole];
  const load = ["mariadb", "--no-defaults", `--socket=${second.socket}`, "--user=root"];
  const hot = ["mariadb-backup", "--no-defaults", "--backup", "--stream=xbstream", ...from];
  const unpack = `mbstream -x -C ${copy.data} && ` +
    `mariadb-backup --no-defaults --prepare --target-dir=${copy.data}`;
  return `
  shop: { kind: command, backup: ${words(...dump, "--databases", "shop")}, restore: ${
    words(...load)
  } }
  hot:
    kind: command
    backup: ${words(...hot, `--datadir=${first.data}`, `--target-dir=${first.data}-work`)}
    restore: ${words("sh", "-c", unpack)}
`;
};

const ANSWERS = `SELECT COUNT(*), SUM(balance) FROM shop.accounts; CHECKSUM TABLE shop.fixed;
  SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'shop';
  SELECT event_name FROM information_schema.events WHERE event_schema = 'shop';`;

describe("MariaDB", () => {
  let bed: Bed;
  let first: MariadbServer;
  let second: MariadbServer;
  let copy: MariadbServer;

  beforeAll(async () => {
    bed = await Bed.make();
    [first, second, copy] = [
      new MariadbServer(bed.folder, "first"),
      new MariadbServer(bed.folder, "second"),
      new MariadbServer(bed.folder, "copy"),
    ];
    makeMariadbDirectory(`${first.data}-work`);
    first.install();
    second.install();
    const yaml = readFileSync(bed.path("client.yaml"), "utf8");
    bed.write("client.yaml", yaml + DATABASES(first, second, copy));
    await Promise.all([first.start(), second.start(), bed.start("server"), bed.start("client")]);
    first.sql(`
      CREATE DATABASE shop;
      USE shop;
      CREATE TABLE shop.accounts (id INT PRIMARY KEY, balance INT NOT NULL) ENGINE=InnoDB;
      INSERT INTO shop.accounts SELECT seq, 100 FROM seq_1_to_${ROWS};
      CREATE TABLE shop.fixed ENGINE=InnoDB AS SELECT seq, SHA2(seq, 256) AS text FROM seq_1_to_20000;
      CREATE PROCEDURE shop.total() SELECT SUM(balance) FROM shop.accounts;
      CREATE EVENT shop.tidy ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.fixed WHERE seq < 0;
    `);
  }, TIMEOUT_MS);

  afterAll(async () => {
    for (const server of [first, second, copy]) await server?.[Symbol.asyncDispose]();
    await bed?.[Symbol.asyncDispose]();
  });

  test("is backed up while it is written to, and restores into another server", async () => {
    // What one account loses another one gets: only a torn state has another sum.
    const moving = first.startWriter(
      "BEGIN; SET @a = 1 + FLOOR(RAND() * 999); " +
        "UPDATE shop.accounts SET balance = balance - 1 WHERE id = @a; " +
        "UPDATE shop.accounts SET balance = balance + 1 WHERE id = @a + 1; COMMIT;",
    );
    try {
      for (const name of ["shop", "hot"]) await bed.job("client", "backup", "database", name);
    } finally {
      if (moving.pid !== undefined) process.kill(-moving.pid, "SIGKILL");
    }
    const moved = first.sql("SELECT COUNT(*) FROM shop.accounts WHERE balance <> 100");
    expect(Number(moved)).toBeGreaterThan(0);
    const answers = first.sql(ANSWERS);
    expect(answers.startsWith(`${ROWS}\t${TOTAL}\n`)).toBe(true);
    await bed.job("client", "restore", "latest:shop", "--database", "shop");
    expect(second.sql(ANSWERS)).toBe(answers);
    await bed.job("client", "restore", "latest:hot", "--database", "hot");
    await copy.start();
    expect(copy.sql(ANSWERS)).toBe(answers);
  }, TIMEOUT_MS);
});
