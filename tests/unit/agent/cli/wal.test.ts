// `wal push` and `wal get` as PostgreSQL runs them, against a daemon of the test.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CliBed } from "./cli_bed.ts";

const NAME = "000000010000000000000001";
const SYSTEM = "7412345678901234567";

let bed: CliBed;

beforeEach(async () => {
  bed = await CliBed.open();
});

afterEach(() => bed.close());

/** A data directory with a control file, and a segment in its log. @returns the segment */
function cluster(): string {
  const control = new Uint8Array(512);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(SYSTEM), true);
  view.setUint32(8, 1300, true);
  for (const folder of ["global", "pg_wal"]) {
    mkdirSync(join(bed.directory, "data", folder), { recursive: true });
  }
  writeFileSync(join(bed.directory, "data", "global", "pg_control"), control);
  const segment = join(bed.directory, "data", "pg_wal", NAME);
  writeFileSync(segment, "the log");
  return segment;
}

describe("wal push", () => {
  test("hands the file over with the cluster that it lies in", async () => {
    const segment = cluster();
    expect(await bed.run("wal", "push", segment, "--database", "pg")).toMatchObject({ code: 0 });
    expect([...bed.daemon.log.keys()]).toEqual([`pg ${SYSTEM} ${NAME}`]);
    expect([...bed.daemon.log.values()].map((bytes) => new TextDecoder().decode(bytes)))
      .toEqual(["the log"]);
    const again = await bed.run("wal", "push", segment, "--database", "pg", "--json");
    expect(JSON.parse(again.stdout)).toEqual({ type: "wal", name: NAME, outcome: "same" });
  });

  test("sends nothing when the daemon has kept the same bytes, and only then", async () => {
    const segment = cluster();
    const of = (text: string) => createHash("sha256").update(text).digest("hex");
    const push = ["wal", "push", segment, "--database", "pg"];
    bed.daemon.seen.add(`${NAME} 7 ${of("the log")}`);
    expect((await bed.run(...push)).code).toBe(0);
    expect(bed.daemon.log.size).toBe(0);
    writeFileSync(segment, "the dog");
    expect((await bed.run(...push)).code).toBe(0);
    expect(bed.daemon.log.size).toBe(1);
  });

  test("does not believe an answer that is none", async () => {
    const segment = cluster();
    bed.daemon.pushOwnWal = () => Promise.resolve(JSON.parse('{"outcome":"later"}'));
    expect((await bed.run("wal", "push", segment, "--database", "pg")).code).toBe(1);
  });

  test("ends with 1 to 125 for what it cannot do", async () => {
    const segment = cluster();
    writeFileSync(segment, "");
    expect((await bed.run("wal", "push", segment, "--database", "pg")).code).toBe(2);
    expect((await bed.run("wal", "push", `${segment}0`, "--database", "pg")).code).toBe(1);
    expect((await bed.run("wal", "push", segment)).code).toBe(2);
  });
});

describe("wal get", () => {
  test("places the file whole, of the cluster that it lies in or the one that is named", async () => {
    const segment = cluster();
    bed.daemon.log.set(`pg ${SYSTEM} ${NAME}`, new TextEncoder().encode("kept"));
    bed.daemon.log.set(`pg 7 ${NAME}`, new TextEncoder().encode("other"));
    const got = join(bed.directory, "data", "pg_wal", "RECOVERYXLOG");
    const words = ["wal", "get", NAME, got, "--database", "pg"];
    expect((await bed.run(...words)).code).toBe(0);
    expect(readFileSync(got, "utf8")).toBe("kept");
    expect((await bed.run(...words, "--system", "7")).code).toBe(0);
    expect(readFileSync(got, "utf8")).toBe("other");
    expect(readdirSync(join(segment, "..")).sort()).toEqual([NAME, "RECOVERYXLOG"]);
  });

  test("ends with 1 only when the archive says that it is not there", async () => {
    cluster();
    const got = join(bed.directory, "data", "pg_wal", "RECOVERYXLOG");
    const get = (database: string, file: string, name = NAME) =>
      bed.run("wal", "get", name, file, "--database", database);
    expect((await get("pg", got)).code).toBe(1);
    expect((await get("none", got)).code).toBe(126);
    expect((await get("pg", got, "../x")).code).toBe(126);
    bed.daemon.log.set(`pg ${SYSTEM} ${NAME}`, new Uint8Array([1]));
    const nowhere = join(bed.directory, "data", "pg_wal", "no", "place");
    expect(
      (await bed.run("wal", "get", NAME, nowhere, "--database", "pg", "--system", SYSTEM)).code,
    )
      .toBe(126);
    expect((await bed.run("wal", "get", NAME)).code).toBe(126);
    expect(existsSync(got)).toBe(false);
  });
});
