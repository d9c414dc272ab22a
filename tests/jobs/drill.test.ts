// Drills: the server's job with its real code, on a vault of real backups. What is right passes,
// whatever is wrong with media, catalog or what was restored fails and is named, and nothing is
// left in the scratch directory.

import { DatabaseSync } from "node:sqlite";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { describe, expect, test } from "bun:test";
import { produceSqlite, snapshotSqlite } from "../../agent/application/mod.ts";
import type { BackupKind } from "../../agent/media/mod.ts";
import type { Drill } from "../../agent/control/mod.ts";
import { rebuildCatalog, VaultWriter } from "../../agent/vault/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { SystemError } from "../../transport/runtime/mod.ts";
import { collect, files, shell, withFaults } from "../unit/agent/application/fixture.ts";
import { IncrementalBed } from "../unit/agent/incremental/incremental_bed.ts";
import { makeResult } from "../unit/agent/media/media_fixture.ts";
import { runDrill } from "./drill_bed.ts";

/** A tree with one of everything, backed up in full and then incrementally. */
function backedUp(): IncrementalBed {
  const bed = new IncrementalBed();
  const odd = "mkdir -p a/b c; mkfifo c/fifo; ln -s a/b l; truncate -s 3M a/hole; chmod 750 c";
  shell(bed.source, `${odd}; echo x >> a/hole; printf %s data > $'a/new\\nline'`);
  for (let at = 0; at < 60; at++) {
    writeFileSync(`${bed.source}/a/b/f${at}`, crypto.getRandomValues(new Uint8Array(at * 300)));
  }
  shell(
    bed.source,
    "head -c 300000 /dev/urandom > large; for i in {1..30}; do ln a/b/f9 c/link$i; done; touch -d @1.000000001 c",
  );
  bed.backUp();
  shell(bed.source, "rm a/b/f3; echo changed > a/b/f4; chmod 4755 a/b/f5");
  bed.backUp();
  return bed;
}

function drilledOf(bed: IncrementalBed): Drill | null {
  using reader = bed.reader();
  return reader.backup("latest").drilled;
}

function expectNothingLeft(bed: IncrementalBed): void {
  const scratch = `${bed.vault}/drill`;
  expect(existsSync(scratch) ? readdirSync(scratch) : []).toEqual([]);
}

/** Turns bytes of a file around in place. */
function damage(path: string, offset: number): void {
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(64).fill(0x5a), 0, 64, offset);
  closeSync(file);
}

describe("a drill", () => {
  test("restores everything, finds it right, keeps the result and removes what it restored", async () => {
    using bed = backedUp();
    const { result, error, drill, warnings } = await runDrill(bed);
    expect([error, warnings]).toEqual([null, []]);
    expect(drill).toMatchObject({ status: "ok", differences: 0, unproved: 0, seed: null });
    expect(drill?.entries).toBe(drill?.of ?? -1);
    expect(result).toMatchObject({ status: "ok", files: drill?.entries, bytes: drill?.bytes });
    expect(drilledOf(bed)).toEqual(drill);
    expectNothingLeft(bed);
    for (const _ of rebuildCatalog({ directory: bed.vault, files }));
    expect(drilledOf(bed)).toEqual(drill);
  });

  test("takes a sample that its seed repeats, with what the sample needs", async () => {
    using bed = backedUp();
    for (let seed = 0; seed < 3; seed++) {
      const { error, drill } = await runDrill(bed, { sample: { entries: 7 }, seed });
      expect([seed, error, drill?.status, drill?.seed]).toEqual([seed, null, "ok", seed]);
      // The first name of a hard link may come on top.
      expect([7, 8]).toContain(drill?.entries ?? 0);
      const again = await runDrill(bed, { sample: { entries: 7 }, seed });
      expect(again.drill?.bytes).toBe(drill?.bytes ?? -1);
    }
    const { drill } = await runDrill(bed, { sample: { percent: 10 } });
    expect(drill?.entries).toBeGreaterThanOrEqual(Math.ceil((drill?.of ?? 0) / 10));
    expect(drill?.seed).not.toBe(null);
    expectNothingLeft(bed);
  });

  test("fails for a damaged frame, says so of the backup, leaves nothing", async () => {
    using bed = backedUp();
    const path = `${bed.vault}/media/b0001.tar.zst`;
    damage(path, statSync(path).size >> 1);
    const { error, drill, warnings } = await runDrill(bed);
    expect(error).toMatchObject({ code: "damaged" });
    expect(drill).toMatchObject({ status: "failed", differences: warnings.length });
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThan((drill?.of ?? 0) / 2);
    expect(warnings[0]).toContain("lies in a damaged frame of the media");
    expect(drilledOf(bed)?.status).toBe("failed");
    expectNothingLeft(bed);
  });

  test("fails for media that are missing, and names the file", async () => {
    using bed = backedUp();
    const path = `${bed.vault}/media/b0001.tar.zst`;
    renameSync(path, `${path}.away`);
    const { error } = await runDrill(bed);
    expect(error?.message).toContain(`Cannot open media "${path}": no such file`);
    expect(drilledOf(bed)?.status).toBe("failed");
    expectNothingLeft(bed);
  });

  test("names what differs in content, size, mode, time, target or is not there", async () => {
    using bed = backedUp();
    const spoil = (sql: string) => {
      using database = new DatabaseSync(`${bed.vault}/catalog.sqlite`);
      database.exec(sql);
    };
    const at = (name: string) => `WHERE CAST(name AS TEXT) = '${name}' AND "end" IS NULL`;
    spoil(`UPDATE entries SET mode = 0 ${at("f7")}`);
    spoil(`UPDATE entries SET mtime_n = 7 ${at("c")}`);
    spoil(`UPDATE entries SET target = CAST('other' AS BLOB) ${at("l")}`);
    let flipped = 0;
    const through = withFaults({
      writeAll(descriptor, from) {
        const isFirst = from.length === 8 * 300 && flipped++ === 0;
        files.writeAll(descriptor, isFirst ? from.map((byte) => byte ^ 1) : from);
      },
      makeNode: () => {},
    });
    const { error, drill, warnings } = await runDrill(bed, { through });
    expect(error).toMatchObject({ code: "damaged" });
    expect(error?.message).toContain("entries that differ or are damaged");
    const message = "differs after the restore:";
    expect([...warnings].sort()).toEqual([
      `/a/b/f7 ${message} catalog, mode`,
      `/a/b/f8 ${message} content`,
      `/c ${message} catalog, mtime`,
      `/c/fifo ${message} missing`,
      `/l ${message} catalog, target`,
    ]);
    expect(drill).toMatchObject({ status: "failed", differences: 5 });
    expectNothingLeft(bed);
  });

  test("passes what it is not permitted to set, and counts it", async () => {
    using bed = backedUp();
    const denied = (call: string) => {
      throw new SystemError("EPERM", call, "path");
    };
    const through = withFaults({ changeOwner: () => denied("fchownat") });
    shell(bed.source, "chown 1234:1234 a/b/f5 || true");
    bed.backUp();
    const { error, drill } = await runDrill(bed, { through });
    expect(error).toBe(null);
    expect(drill?.status).toBe("ok");
    expect(drill?.unproved).toBeGreaterThan(0);
  });

  test("says nothing of the backup when its scratch directory is full, and leaves nothing", async () => {
    using bed = backedUp();
    const scratch = `${bed.folder}/scratch`;
    mkdirSync(scratch);
    let writes = 0;
    const through = withFaults({
      writeAll(descriptor, from) {
        if (++writes > 20) throw new SystemError("ENOSPC", "write", "file");
        files.writeAll(descriptor, from);
      },
    });
    const { error, drill } = await runDrill(bed, { through, scratch });
    expect(error).toMatchObject({ code: "no_space" });
    expect(error).toMatchObject({ hint: expect.stringContaining("--scratch") });
    expect([drill, drilledOf(bed)]).toEqual([null, null]);
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("ends when it is cancelled, says nothing of the backup, and leaves nothing", async () => {
    using bed = backedUp();
    const { error } = await runDrill(bed, { cancelled: true });
    expect(error).toMatchObject({ code: "cancelled" });
    expect(drilledOf(bed)).toBe(null);
    expectNothingLeft(bed);
  });

  test("removes what a killed drill left, of any depth, but not that of a live one", async () => {
    using bed = backedUp();
    const scratch = `${bed.folder}/scratch`;
    const deep = "for i in {1..25}; do mkdir -p $(printf 'd%.0s' {1..200}); cd d*; done; touch x";
    shell(
      bed.folder,
      `mkdir -p scratch/agent-drill-dead/{0,3}/sub scratch/agent-drill-live/0 scratch/own
      cd scratch/agent-drill-dead; echo > 3/sub/f; chmod 000 0/sub; ln -s / 0/root; cd 0; ${deep}`,
    );
    const live = files.open(-100, `${scratch}/agent-drill-live`, {
      access: "read",
      directory: true,
    });
    try {
      files.lock(live, "exclusive", { wait: false });
      expect((await runDrill(bed, { scratch })).error).toBe(null);
    } finally {
      files.close(live);
    }
    expect(readdirSync(scratch).sort()).toEqual(["agent-drill-live", "own"]);
    mkdirSync(`${bed.vault}/drill/agent-drill-dead/0/x`, { recursive: true });
    bed.openVault().close();
    expectNothingLeft(bed);
  });

  test("restores a database, which has to pass its integrity check", async () => {
    using bed = new IncrementalBed();
    const source = `${bed.source}/app.db`;
    {
      using database = new DatabaseSync(source);
      database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x); CREATE INDEX i ON t (x)");
      for (let row = 0; row < 500; row++) database.exec(`INSERT INTO t VALUES ('row ${row}')`);
    }
    backUpDatabase(bed, source, "good");
    const { error, drill } = await runDrill(bed, { backup: "good" });
    expect([error, drill?.status, drill?.entries]).toEqual([null, "ok", 1]);
    // The head of a page of the copy: SQLite alone sees that, the frames are sound.
    backUpDatabase(bed, source, "worse", (spool) => damage(spool, 2 * 4096));
    const spoiled = await runDrill(bed, { backup: "worse" });
    expect(spoiled.error?.message).toContain("integrity_check");
    expect(spoiled.drill?.status).toBe("failed");
    expectNothingLeft(bed);
  });
});

function backUpDatabase(
  bed: IncrementalBed,
  source: string,
  backup: string,
  spoil: (spool: string) => void = () => {},
): void {
  const spool = `${bed.folder}/spool`;
  snapshotSqlite({ files, source, spool });
  spoil(spool);
  const made = collect(produceSqlite({ files, source, spool, frameBytes: 8192 }));
  using writer = VaultWriter.open({ directory: bed.vault, files });
  const kind: BackupKind = "sqlite";
  const label = {
    backup,
    client: "web01",
    kind,
    database: "app",
    level: "full",
    needs: [],
  } as const;
  const into = writer.begin({ ...label, paths: [source], ...EVERYTHING, startedMs: 1 });
  for (const record of made.records) into.append(record);
  into.publish(makeResult({ files: made.files, bytes: made.bytes }));
}
