// A confined client that restores databases: whatever places the request, the server's stream or
// the links on the way name, nothing is written that the client's own file does not allow.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { DatabaseEntry } from "../../agent/config/mod.ts";
import { type Confinement, UNCONFINED } from "../../agent/confinement.ts";
import { AgentError } from "../../transport/mod.ts";
import { makeArchive, type Member } from "../unit/agent/media/media_fixture.ts";
import { publish } from "../unit/agent/vault/vault_fixture.ts";
import { DatabaseBed } from "./database_bed.ts";

const BACKUP = "20260101T000000Z-web01-aaaa";

let bed: DatabaseBed;
let cluster: DatabaseEntry;

beforeEach(async () => {
  bed = await DatabaseBed.open();
  for (const name of ["secret", "restored"]) mkdirSync(bed.path(name));
  symlinkSync(bed.path("secret"), bed.path("restored/way"));
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const data = bed.path("pg");
  cluster = { name: "pg", kind: "postgresql", data, socket: bed.folder, port: 5432, user };
});

afterEach(async () => {
  await bed[Symbol.asyncDispose]();
});

interface Restore {
  readonly target?: string | null;
  readonly tablespaces?: readonly { readonly from: string; readonly to: string }[];
}

/** A restore of a cluster that the vault has with these members besides. @returns how it ended */
async function restore(
  allow: Confinement,
  more: readonly Member[],
  { target = "restored/new", tablespaces = [] }: Restore = {},
): Promise<string> {
  for (const place of ["vault", "pg", "restored/new"]) {
    rmSync(bed.path(place), { recursive: true, force: true });
  }
  const data = bed.path("pg");
  const members: readonly Member[] = [
    { path: data, type: "directory", mode: 0o700 },
    ...more,
    { path: `${data}/global`, type: "directory", mode: 0o700 },
    { path: `${data}/global/pg_control`, content: "control" },
  ];
  bed.makeVault();
  const label = {
    backup: BACKUP,
    kind: "postgresql",
    database: "pg",
    paths: [data],
  } as const;
  publish(bed.path("vault"), { label, archive: makeArchive(members) });
  bed.allow = allow;
  const [, client] = await bed.run(cluster, {
    type: "restore",
    backup: BACKUP,
    target: target === null ? null : `${bed.folder}/${target}`,
    tablespaces: tablespaces.map(({ from, to }) => ({
      from: bed.path(from),
      to: `${bed.folder}/${to}`,
    })),
    recovery: null,
  });
  return endOf(client.error);
}

function endOf(error: Error | null): string {
  if (error === null) return "ok";
  return error instanceof AgentError ? `${error.code}: ${error.message}` : error.message;
}

/** A tablespace at that place, with a file in it. */
function tablespace(place: string): readonly Member[] {
  const path = bed.path(place);
  return [
    { path, type: "directory", mode: 0o700 },
    { path: `${path}/PG_15_1`, type: "directory", mode: 0o700 },
    { path: `${path}/PG_15_1/5`, content: "rows" },
  ];
}

function stray(place: string): readonly Member[] {
  const path = bed.path(place);
  return [
    { path, type: "directory", mode: 0o755 },
    { path: `${path}/x.conf`, content: "[Service]" },
  ];
}

describe("a client confined to directories", () => {
  test("refuses a cluster's places outside of them, the server's too, and writes nothing", async () => {
    const allow = { ...UNCONFINED, restore: [bed.path("restored")] };
    const outside = ["cron.service.d", "secret/ts", "restored-too", "restored/way/ts"];
    for (const place of outside) {
      const ended = await restore(allow, [...stray(place), ...tablespace(`${place}/deep`)]);
      expect([place, ended]).toEqual([place, expect.stringMatching(/^auth.*allow_restore/)]);
    }
    const from = "restored/ts";
    for (const to of [...outside, "restored/../ts", "restored/way/../ts"]) {
      const ended = await restore(allow, tablespace(from), { tablespaces: [{ from, to }] });
      expect([to, ended]).toEqual([to, expect.stringMatching(/^auth.*allow_restore/)]);
    }
    for (const target of [...outside, "restored/way/../new"]) {
      const ended = await restore(allow, [], { target });
      expect([target, ended]).toEqual([target, expect.stringMatching(/^auth.*allow_restore/)]);
    }
    for (const name of ["cron.service.d", "secret/ts", "restored-too", "ts", "new", "pg"]) {
      expect([name, existsSync(bed.path(name))]).toEqual([name, false]);
    }
  });

  test("takes a cluster's places within them, and where its own file has it", async () => {
    const allow = { ...UNCONFINED, restore: [bed.path("restored")] };
    expect(await restore(allow, tablespace("restored/ts"))).toBe("ok");
    expect(readFileSync(bed.path("restored/ts/PG_15_1/5"), "utf8")).toBe("rows");
    const tablespaces = [{ from: "ts", to: "restored/moved" }];
    expect(await restore(allow, tablespace("ts"), { tablespaces })).toBe("ok");
    expect(await restore(allow, [], { target: null })).toBe("ok");
    const none = { ...UNCONFINED, restore: [] };
    expect(await restore(none, [], { target: null })).toMatch(/^auth.*allow_restore: false/);
    expect(existsSync(bed.path("pg"))).toBe(false);
  });

  test("with `allow_overwrite: false` keeps an SQLite database in its place", async () => {
    const path = bed.path("app.db");
    const database: DatabaseEntry = { name: "app", kind: "sqlite", path };
    fill(path, "old");
    const [server] = await bed.run(database, { type: "backup" });
    const { backup = null } = server.result ?? {};
    rmSync(path);
    fill(path, "new");
    bed.allow = { ...UNCONFINED, overwrite: false };
    const back = async (target: string | null) => {
      const action = { type: "restore", backup: backup ?? "", tablespaces: [], recovery: null };
      const [, client] = await bed.run(database, { ...action, type: "restore", target });
      return endOf(client.error);
    };
    expect(await back(null)).toMatch(/^auth.*"allow_overwrite: false"/);
    expect(read(path)).toBe("new");
    expect(await back(bed.path("restored/db"))).toBe("ok");
    rmSync(path);
    expect(await back(null)).toBe("ok");
    expect(read(path)).toBe("old");
  });
});

describe("a client that is not confined", () => {
  test("takes nothing for a tablespace that no tablespace has", async () => {
    const ended = await restore(UNCONFINED, stray("cron.service.d"));
    expect(ended).toMatch(/^damaged.*cron.service.d\/x.conf/);
    expect(existsSync(bed.path("cron.service.d/x.conf"))).toBe(false);
  });
});

function fill(path: string, text: string): void {
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE t (x); INSERT INTO t VALUES ('${text}')`);
  database.close();
}

function read(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare("SELECT x FROM t").get();
  database.close();
  return row?.["x"];
}
