// Databases of kind command with real daemons and programs: what one program writes the other one
// gets, and a program that fails publishes nothing.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Bed } from "./bed.ts";
import { PostgresServer, SERVER_USER } from "./postgres_server.ts";

const TIMEOUT_MS = 180_000;
const MIB = 1024 * 1024;

/** A program of the server's, as its user. */
const AS_SERVER = `setpriv, --reuid, ${SERVER_USER}, --regid, ${SERVER_USER}, --init-groups`;
const DATABASES = `
  erp: { kind: command, backup: [cat, erp.data], restore: [sh, -c, "cat > erp.back"] }
  bad: { kind: command, backup: [sh, -c, "cat erp.data; echo torn >&2; exit 3"], restore: [cat] }
  parts:
    kind: command
    streams: 2
    backup: [sh, -c, "cat erp.data; echo stream {stream}"]
    restore: [sh, -c, "cat > parts.{stream}"]
  dump:
    kind: command
    backup: [${AS_SERVER}, pg_dump, --format=custom, --host, PG, postgres]
    restore: [${AS_SERVER}, pg_restore, --clean, --if-exists, --host, PG, --dbname, postgres]
`;

describe("databases of kind command", () => {
  let bed: Bed;
  let server: PostgresServer | null = null;

  beforeAll(async () => {
    // Room for the connections of several jobs at once.
    bed = await Bed.make({ volumeSize: "192MiB" });
    server = PostgresServer.create(bed.folder);
    server.start();
    const yaml = readFileSync(bed.path("client.yaml"), "utf8");
    bed.write("client.yaml", yaml + DATABASES.replaceAll("PG", server.socket));
    await Promise.all([bed.start("server"), bed.start("client")]);
  }, TIMEOUT_MS);

  afterAll(async () => {
    server?.[Symbol.dispose]();
    await bed?.[Symbol.asyncDispose]();
  });

  test("what a program writes comes back, through the storage", async () => {
    const data = writeData(bed);
    const made = await bed.job("client", "backup", "database", "erp");
    expect(made).toMatchObject({ status: "ok", bytes: data.length, fallback: null });
    expect((await bed.json("server", "backups")).lines[0]).toMatchObject({ kind: "command" });
    await bed.job("client", "restore", "latest:erp", "--database", "erp");
    expect(new Uint8Array(readFileSync(bed.path("erp.back")))).toEqual(data);
  }, TIMEOUT_MS);

  test("a program that fails publishes nothing, and is quoted", async () => {
    const before = (await bed.json("server", "backups")).lines.length;
    const { code, error } = await bed.json("client", "backup", "database", "bad");
    expect([code, error?.message.includes('"sh" ended with 3: torn')]).toEqual([1, true]);
    expect((await bed.json("server", "backups")).lines.length).toBe(before);
  }, TIMEOUT_MS);

  test("pg_dump and pg_restore, as the README has them", async () => {
    const answers = (statements: string) => server?.sql(statements);
    answers("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    await bed.job("client", "backup", "database", "dump");
    answers("DELETE FROM t WHERE n > 10");
    await bed.job("client", "restore", "latest:dump", "--database", "dump");
    expect(answers("SELECT count(*) FROM t")).toBe("1000");
  }, TIMEOUT_MS);

  test("several databases and files at once share a group, each through the storage", async () => {
    const data = writeData(bed);
    mkdirSync(bed.path("files"));
    writeFileSync(bed.path("files", "file"), data);
    const made = await Promise.all([
      bed.job("client", "backup", "database", "erp"),
      bed.job("client", "backup", "database", "parts"),
      bed.job("client", "backup", "database", "dump"),
      bed.job("server", "backup", "filesystem", "--client", "web01", bed.path("files")),
    ]);
    for (const { status, fallback, channels } of made) {
      expect([status, fallback]).toEqual(["ok", null]);
      expect(channels.storage.bytes).toBeGreaterThan(0);
    }
    await Promise.all([
      bed.job("client", "restore", "latest:erp", "--database", "erp"),
      bed.job("client", "restore", "latest:parts", "--database", "parts"),
    ]);
    expect(new Uint8Array(readFileSync(bed.path("erp.back")))).toEqual(data);
    for (const stream of ["1", "2"]) {
      const back = readFileSync(bed.path(`parts.${stream}`));
      expect(new Uint8Array(back.subarray(0, data.length))).toEqual(data);
      expect(back.subarray(data.length).toString()).toBe(`stream ${stream}\n`);
    }
  }, TIMEOUT_MS);
});

function writeData(bed: Bed): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(5 * MIB).map((_, at) => (at * at) % 251);
  writeFileSync(bed.path("erp.data"), data);
  return data;
}
