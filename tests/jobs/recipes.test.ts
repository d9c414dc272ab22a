// The recipes of the README, word for word, with stand-ins for the vendors' programs: scripts that
// take the same words and move bytes the same way.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type DatabaseEntry, loadConfigText } from "../../agent/config/mod.ts";
import { DatabaseBed } from "./database_bed.ts";

const LIMIT_MS = 60_000;
const PATH = process.env["PATH"];
const README = join(import.meta.dirname ?? ".", "..", "..", "README.md");

const STAND_INS = {
  // Informix: messages go to standard error, the archive to standard output.
  ontape: `
case "$*" in
  "-s -L 0 -t STDIO") echo "100 percent done." >&2; cat BED/data ;;
  "-p -t STDIO") cat > BED/back ;;
  *) echo "usage" >&2; exit 1 ;;
esac`,
  // SAP ASE: Backup Server looks at a label of each stripe first, and opens the device again.
  isql: `
test "$1" = --retserverror || exit 0
read -r sql
pipes=$(echo "$sql" | grep -o "'[^']*'" | tr -d "'")
set -- $pipes
read -r go; test "$go" = go || exit 1
if test -e BED/broken; then echo "Msg 8009, Level 16: no such device"; exit 1; fi
case "$sql" in
  dump*)
    for stripe; do
      n=$((n + 1))
      { head -c 2048 BED/data$n > "$stripe"; tail -c +2049 BED/data$n > "$stripe"; } &
    done ;;
  load*)
    for stripe; do
      n=$((n + 1))
      { head -c 2048 "$stripe" > BED/back$n; cat "$stripe" >> BED/back$n; } &
    done ;;
esac
wait`,
  // Oracle: pieces are files; it talks on standard output.
  rman: `
echo "Recovery Manager: Release 19.0.0.0.0"
case "$*" in
  "target / cmdfile=/etc/agent/backup.rman") cp BED/data BED/stage/piece_1 ;;
  "target / cmdfile=/etc/agent/restore.rman") cp BED/stage/piece_1 BED/back ;;
  *) exit 1 ;;
esac`,
};

const CONFIG = `name: web01
network: { listen: 127.0.0.1, port: 7530 }
control: unix:run/client.sock
server: { address: 127.0.0.1, port: 7430, connections: 2 }
stgs: [ { name: stg0, host: 2, array: array, volumes: [v0, v1] } ]
`;

let bed: DatabaseBed;

/** The databases as the README has them. */
function recipes(): readonly DatabaseEntry[] {
  const [, section = ""] = readFileSync(README, "utf8").split("## Any database that can write");
  const lines = section.split("\n").slice(1);
  const end = lines.findIndex((line) => line.startsWith("|"));
  const yaml = lines.slice(0, end).map((line) => line.slice(4)).join("\n");
  const loaded = loadConfigText(CONFIG + yaml, { file: "/etc/agent/client.yaml" });
  if (!loaded.ok || !("databases" in loaded.config)) throw new Error("the README has no recipes");
  return loaded.config.databases;
}

/** A recipe with places of the bed for those of the example. */
function recipe(name: string): DatabaseEntry {
  const entry = recipes().find((one) => one.name === name);
  if (entry?.kind !== "command") throw new Error(`the README has no recipe "${name}"`);
  const placed = (words: readonly string[]) =>
    words.map((word) => word.replaceAll("/stage", bed.path("stage")));
  const pipes = entry.pipes === null ? null : { ...entry.pipes, owner: null };
  return { ...entry, backup: placed(entry.backup), restore: placed(entry.restore), pipes };
}

async function both(name: string, backup: string): Promise<void> {
  const made = await bed.run(recipe(name), { type: "backup" }, backup);
  expect(made.map(({ error }) => error)).toEqual([null, null]);
  const action = {
    type: "restore",
    backup,
    target: null,
    tablespaces: [],
    recovery: null,
  } as const;
  const restored = await bed.run(recipe(name), action);
  expect(restored.map(({ error }) => error)).toEqual([null, null]);
}

function expectSame(data: string, back: string): void {
  expect(readFileSync(bed.path(back)).equals(readFileSync(bed.path(data)))).toBe(true);
}

describe("the recipe", () => {
  beforeAll(async () => {
    bed = await DatabaseBed.open();
    for (const folder of ["bin", "stage"]) mkdirSync(bed.path(folder));
    for (const [name, script] of Object.entries(STAND_INS)) {
      const text = `#!/bin/sh\n${script.replaceAll("BED", bed.folder)}\n`;
      writeFileSync(bed.path("bin", name), text);
      chmodSync(bed.path("bin", name), 0o755);
    }
    process.env["PATH"] = `${bed.path("bin")}:${PATH}`;
    for (const [index, name] of ["data", "data1", "data2"].entries()) {
      writeFileSync(
        bed.path(name),
        new Uint8Array(700_000).map((_, at) => (at * at + index) % 251),
      );
    }
  });

  afterAll(async () => {
    process.env["PATH"] = PATH;
    await bed[Symbol.asyncDispose]();
  });

  test("for Informix: ontape through standard output and input", async () => {
    await both("ifx", "web01-20260101T000000Z-aaaaaa");
    expectSame("data", "back");
  }, LIMIT_MS);

  test("for SAP ASE: stripes through named pipes, opened again after their labels", async () => {
    await both("ase", "web01-20260101T000000Z-aaaaab");
    expectSame("data1", "back1");
    expectSame("data2", "back2");
    writeFileSync(bed.path("broken"), "");
    const before = bed.backups();
    const [, client] = await bed.run(recipe("ase"), { type: "backup" }, "web01-20260101T000000Z-c");
    expect(client.error?.message).toContain("Msg 8009, Level 16: no such device");
    expect(bed.backups()).toEqual(before);
  }, LIMIT_MS);

  test("for Oracle: RMAN over a staging directory", async () => {
    await both("ora", "web01-20260101T000000Z-aaaaad");
    expectSame("data", "back");
    expect(existsSync(bed.path("stage", "piece_1"))).toBe(true);
  }, LIMIT_MS);

  test("of every database is a configuration that is taken", () => {
    expect(recipes().map(({ name }) => name)).toEqual(["erp", "shop", "hot", "ifx", "ase", "ora"]);
  });
});
