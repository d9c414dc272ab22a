// The demo's ledger must show a copy that is damaged, too old, or torn between two transactions.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLedger, Ledger } from "../../../scripts/demonstration/ledger.ts";

let folder = "";
const path = (): string => join(folder, "app.db");
const ANY = { atLeast: 1, atMost: 1e9 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-ledger-"));
  using ledger = Ledger.create(path(), 1_000_000);
  ledger.append(20);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function change(sql: string): void {
  const database = new DatabaseSync(path());
  database.exec(sql);
  database.close();
}

describe("checkLedger()", () => {
  test("accepts a committed state of the size asked for", () => {
    expect(checkLedger(path(), { atLeast: 1020, atMost: 1020 })).toEqual([]);
    expect(statSync(path()).size).toBeGreaterThan(1_000_000);
  });
  test("refuses a state outside the marks", () => {
    expect(checkLedger(path(), { atLeast: 1021, atMost: 2000 })).toEqual([
      "1020 rows, need 1021 to 2000",
    ]);
  });
  const BROKEN: readonly (readonly [string, string, string])[] = [
    ["a damaged row", "UPDATE entry SET payload = x'00' WHERE id = 7", "row 7 is damaged"],
    ["a missing row", "DELETE FROM entry WHERE id = 7", "row 8 stands where 7 belongs"],
    ["half a transaction", "UPDATE total SET entries = 1000", "1020 rows, but 1000 counted"],
    ["a lost table", "DROP TABLE entry", "no such table"],
  ];
  for (const [what, sql, found] of BROKEN) {
    test(`refuses ${what}`, () => {
      change(sql);
      expect(checkLedger(path(), ANY).join("\n")).toContain(found);
    });
  }
});
