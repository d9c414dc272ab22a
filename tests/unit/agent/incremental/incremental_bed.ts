// A source tree, a vault and everything in between but the network: makes backups as a job's two
// workers do, restores them, replays their media with GNU tar, and compares catalogs.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import {
  type ApplicationWarning,
  encodeParentRows,
  FilesystemRestorer,
  makesIncomplete,
  type ParentFeed,
  produceFilesystem,
} from "../../../../agent/application/mod.ts";
import type { CatalogBackup } from "../../../../agent/catalog/mod.ts";
import { MediaReader, type Skipped } from "../../../../agent/media/mod.ts";
import { chooseParent, Vault, VaultReader, VaultWriter } from "../../../../agent/vault/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import { clock, files, makeFolder, removeFolder } from "../application/fixture.ts";
import { makeResult } from "../media/media_fixture.ts";

export interface BackUpOptions {
  readonly full?: boolean;
  readonly exclude?: readonly string[];
  readonly paths?: readonly string[];
  /** Nothing counts as changed a moment ago, although tests are fast. */
  readonly settled?: boolean;
  /** Files that fail or count, in place of the real ones. */
  readonly through?: Files;
}

export interface Made {
  readonly backup: CatalogBackup;
  readonly warnings: readonly ApplicationWarning[];
}

const random = { bytes: (count: number) => new Uint8Array(count) };

export class IncrementalBed implements Disposable {
  readonly folder = makeFolder();
  readonly source = `${this.folder}/source`;
  readonly vault = `${this.folder}/vault`;
  readonly frameBytes: number;
  #count = 0;

  constructor(frameBytes = 64 * 1024) {
    this.frameBytes = frameBytes;
    mkdirSync(this.source);
    this.openVault().close();
  }

  openVault(): Vault {
    return Vault.open({ directory: this.vault, files, clock, random });
  }

  backUp(options: BackUpOptions = {}): Made {
    using reader = this.reader();
    const paths = options.paths ?? [this.source];
    const exclude = options.exclude ?? [];
    const source = { client: "web01", kind: "filesystem", database: null, paths, exclude } as const;
    const chain = reader.chainOf(source);
    const full = options.full ?? false;
    const parent = chooseParent({ full, fullEvery: null, chain, nowMs: clock.wallMs() });
    const warnings: ApplicationWarning[] = [];
    const producer = produceFilesystem({
      files: options.through ?? files,
      paths,
      exclude,
      level: 1,
      frameBytes: this.frameBytes,
      parent: parent === null ? undefined : feedOf(reader, parent.backup),
      clock: options.settled ? undefined : clock,
      onWarning: (warning) => void warnings.push(warning),
    });
    using writer = VaultWriter.open({ directory: this.vault, files });
    this.#count += 1;
    const backup = writer.begin({
      ...source,
      backup: `b${String(this.#count).padStart(4, "0")}`,
      level: parent === null ? "full" : "incremental",
      needs: parent === null ? [] : chain.map((one) => one.backup),
      startedMs: clock.wallMs(),
    });
    let step = producer.next();
    for (; step.done !== true; step = producer.next()) {
      if (step.value !== null) backup.append(step.value);
    }
    const skipped: Skipped[] = warnings.filter(({ code }) => makesIncomplete(code))
      .map(({ path, code }) => ({ path: new TextDecoder().decode(path), reason: code }));
    const status = skipped.length > 0 ? "incomplete" : "ok";
    const counts = { ...step.value, status, skipped, skippedCount: skipped.length } as const;
    return { backup: backup.publish(makeResult(counts)), warnings };
  }

  reader(): VaultReader {
    return VaultReader.open({ directory: this.vault, files });
  }

  /** Restores a backup, or what the globs match. @returns where, the warnings and what is lost */
  restore(reference: string, include: readonly string[] = []) {
    const target = makeFolder();
    using reader = this.reader();
    const plan = reader.planRestore(reference, include);
    const warnings: ApplicationWarning[] = [];
    const consumer = new FilesystemRestorer({
      files,
      target,
      overwrite: "refuse",
      redirects: plan.redirects,
      onWarning: (warning) => void warnings.push(warning),
    });
    const lost: string[] = [];
    const onLost = (path: Uint8Array) => void lost.push(new TextDecoder().decode(path));
    for (const record of reader.restoreRecords(plan, onLost)) consumer.feed(record);
    consumer.finish();
    return {
      path: `${target}${this.source}`,
      warnings,
      lost,
      [Symbol.dispose]: () => removeFolder(target),
    };
  }

  /** Runs the commands of a backup's label. @returns the restored source */
  replay(reference: string) {
    const target = makeFolder();
    const file = `${this.vault}/media/${reference}.tar.zst`;
    const label = execFileSync("head", ["-c", "4096", file], { encoding: "latin1" });
    const command = /for b in [^]*?done/.exec(label)?.[0] ??
      `zstd -dc ${reference}.tar.zst | tar -xpf -`;
    const script = command.replace(/zstd -dc /, `zstd -dc ${this.vault}/media/`);
    const output = execFileSync("bash", ["-euo", "pipefail", "-c", `${script} 2>&1`], {
      cwd: target,
      encoding: "utf8",
    });
    return {
      path: `${target}${this.source}`,
      output,
      [Symbol.dispose]: () => removeFolder(target),
    };
  }

  /** All rows of a catalog, by path and backup, as text. */
  dump(path = `${this.vault}/catalog.sqlite`): string {
    const database = new DatabaseSync(path);
    try {
      const entries = database.prepare(`
        SELECT hex(d.key) AS key, hex(e.name) AS name, e.generation, e.first, e."end", e.type,
          e.mode, e.uid, e.gid, e.size, e.mtime_s, e.mtime_n, e.ctime_s, e.ctime_n,
          CAST(e.inode AS TEXT) AS inode, hex(e.target) AS target, e.rdev, e.media, e.tar_offset,
          e.tar_bytes, e.unsettled
        FROM entries e JOIN directories d ON d.id = e.directory
        ORDER BY d.key, e.name, e.generation, e.first`).all();
      const backups = database.prepare("SELECT * FROM backups ORDER BY number").all();
      return [...backups, ...entries].map((row) => JSON.stringify(row)).join("\n");
    } finally {
      database.close();
    }
  }

  /** Opens the media file of a backup; the caller closes it. */
  media(backup: string): MediaReader {
    return new MediaReader(files, `${this.vault}/media/${backup}.tar.zst`);
  }

  [Symbol.dispose](): void {
    removeFolder(this.folder);
  }
}

/** The rows of a parent as they would arrive: each chunk late once. */
function feedOf(reader: VaultReader, parent: string): ParentFeed {
  const chunks = encodeParentRows(reader.parentRows(parent));
  let late = true;
  return {
    take() {
      late = !late;
      if (!late) return null;
      const chunk = chunks.next();
      return chunk.done === true ? "end" : chunk.value;
    },
  };
}
