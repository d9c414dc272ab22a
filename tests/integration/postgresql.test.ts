// A real PostgreSQL server backed up under load and restored by real daemons, through the storage.

import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../transport/ground/assert.ts";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { makeServerDirectory, PostgresServer, runTool, SERVER_USER } from "./postgres_server.ts";

const TIMEOUT_MS = 180_000;
const MIB = 1024 * 1024;
const MARKS_ARE_THERE = "SELECT to_regclass('marks') IS NOT NULL";

let bed: Bed | null = null;
let server: PostgresServer | null = null;

afterEach(async () => {
  server?.[Symbol.dispose]();
  await bed?.[Symbol.asyncDispose]();
  [server, bed] = [null, null];
});

/** A running server and both daemons; the client's configuration knows the cluster as `pg`. */
async function start(): Promise<[Bed, PostgresServer]> {
  const made = bed = await Bed.make({
    clientKeys: `  pg: { kind: postgresql, data: pg, socket: pg-run, user: ${SERVER_USER} }
  other: { kind: postgresql, data: other, socket: pg-run, user: ${SERVER_USER} }`,
  });
  const cluster = server = PostgresServer.create(made.folder);
  cluster.start();
  await Promise.all([made.start("server"), made.start("client")]);
  return [made, cluster];
}

describe("PostgreSQL", () => {
  test(
    "backed up under load, restored elsewhere with its tablespace: it starts, whole",
    async () => {
      const [bed, cluster] = await start();
      makeServerDirectory(bed.path("ts"));
      cluster.sql(`CREATE TABLESPACE fast LOCATION '${bed.path("ts")}'`);
      cluster.sql("CREATE TABLE marks (id int) TABLESPACE fast; INSERT INTO marks VALUES (7)");
      cluster.benchFill(2);
      await using clients = cluster.benchLoad();
      const { summary: made, stderr } = await bed.json("client", "backup", "database", "pg");
      clients.kill("SIGINT");
      expect(stderr).toBe("");
      assert(made !== null, "it has a summary");
      expect(made).toMatchObject({ status: "ok", fallback: null });
      expect(made.channels.storage.bytes).toBeGreaterThan(2 * MIB);
      expect(made.channels.network.bytes).toBeLessThan(16 * 1024);
      await bed.job("server", "verify", "--data");
      const [listed] = (await bed.json("server", "backups")).lines;
      expect(listed).toMatchObject({ kind: "postgresql", client: "web01", status: "ok" });

      await clients.ended;
      cluster.stop();
      const target = bed.path("back");
      const places = ["--target", target, "--tablespace", `${bed.path("ts")}=${bed.path("ts2")}`];
      await bed.job("client", "restore", "latest:pg", "--database", "pg", ...places);
      expect(runTool("pg_verifybackup", ["-q", target])).toBe("");
      expect(statSync(target).mode & 0o7777).toBe(0o700);
      expect(statSync(target).uid).toBe(statSync(cluster.data).uid);
      const link = statSync(join(bed.path("ts2")));
      expect(link.uid).toBe(statSync(cluster.data).uid);
      server = new PostgresServer(target, cluster.socket);
      server.start();
      expect(server.sql("SELECT id FROM marks")).toBe("7");
      expect(server.sql("SHOW data_directory")).toBe(target);
      expect(readlinkSync(join(target, "pg_tblspc", tablespaceOid(server)))).toBe(bed.path("ts2"));
      expect(new Set(server.benchSums()).size).toBe(1);
      runTool("pg_amcheck", ["--install-missing", "-h", server.socket, "-a"]);
    },
    TIMEOUT_MS,
  );

  test("backed up from a standby, restored as a server of its own", async () => {
    const made = bed = await Bed.make({
      clientKeys: `  pg: { kind: postgresql, data: pg, socket: pg-run, user: ${SERVER_USER} }`,
    });
    using primary = PostgresServer.create(made.folder, "primary");
    primary.start();
    const standby = server = new PostgresServer(made.path("pg"), made.path("pg-run"));
    for (const path of [standby.data, standby.socket]) makeServerDirectory(path);
    const copy = ["-D", standby.data, "-h", primary.socket, "-R", "-c", "fast"];
    runTool("pg_basebackup", copy);
    chmodSync(standby.data, 0o700);
    standby.configure(`unix_socket_directories = '${standby.socket}'\n`);
    standby.start();
    primary.sql("CREATE TABLE marks AS SELECT 7 AS id");
    await until(
      TIMEOUT_MS,
      "the standby",
      () => standby.sql(MARKS_ARE_THERE) === "t" ? true : null,
    );
    await Promise.all([made.start("server"), made.start("client")]);
    await made.job("client", "backup", "database", "pg");
    const target = made.path("back");
    await made.job("client", "restore", "latest:pg", "--database", "pg", "--target", target);
    expect(runTool("pg_verifybackup", ["-q", target])).toBe("");
    standby.stop();
    server = new PostgresServer(target, standby.socket);
    server.start();
    expect(server.sql("SELECT pg_is_in_recovery()")).toBe("f");
    server.sql("INSERT INTO marks VALUES (8)");
    expect(primary.sql("SELECT count(*) FROM marks")).toBe("1");
  }, TIMEOUT_MS);

  test("is restored by zstd and tar alone", async () => {
    const [bed, cluster] = await start();
    const { backup } = await bed.job("client", "backup", "database", "pg");
    mkdirSync(bed.path("stock"));
    const script = 'set -o pipefail; zstd -dc "$1" | tar -C "$2" -xpf -';
    const media = bed.path("vault", "media", `${backup}.tar.zst`);
    execFileSync("bash", ["-c", script, "bash", media, bed.path("stock")]);
    const data = bed.path("stock") + cluster.data;
    expect(runTool("pg_verifybackup", ["-q", data])).toBe("");
    cluster.stop();
    server = new PostgresServer(data, cluster.socket);
    server.start();
    expect(server.sql("SELECT 1")).toBe("1");
  }, TIMEOUT_MS);

  test(
    "refuses what it must: a directory in use, another cluster, no server, a full place",
    async () => {
      const [bed, cluster] = await start();
      await bed.job("client", "backup", "database", "pg");
      mkdirSync(bed.path("other"));
      const other = await bed.json("client", "backup", "database", "other");
      expect([other.code, other.error?.message.includes("need the server of that directory")])
        .toEqual([1, true]);
      const restore = ["restore", "latest:pg", "--database", "pg"];
      const inUse = await bed.json("client", ...restore);
      expect([inUse.code, inUse.error?.message.includes("a cluster that a server may use")])
        .toEqual([11, true]);
      mkdirSync(bed.path("full"));
      writeFileSync(bed.path("full", "file"), "mine");
      const full = await bed.json("client", ...restore, "--target", bed.path("full"));
      expect([full.code, full.error?.message.includes("found files in it")]).toEqual([1, true]);
      expect(readFileSync(bed.path("full", "file"), "utf8")).toBe("mine");
      cluster.stop();
      const down = await bed.json("client", "backup", "database", "pg");
      expect([down.code, down.error?.message.includes("Cannot reach PostgreSQL")])
        .toEqual([15, true]);
      expect((await bed.json("server", "backups")).lines.length).toBe(1);
    },
    TIMEOUT_MS,
  );
});

function tablespaceOid(cluster: PostgresServer): string {
  return cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'fast'");
}
