// A source tree, a vault and everything in between but the network: makes backups as a job's two
// workers do, restores them, replays their media with GNU tar, and compares catalogs.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, renameSync, truncateSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import {
  type ApplicationWarning,
  canGoOn,
  encodeParentRows,
  FilesystemRestorer,
  makesIncomplete,
  type OpenMember,
  type ParentFeed,
  type PlacedRow,
  produceFilesystem,
} from "../../../../agent/application/mod.ts";
import type { FrameOpener, FrameSealer } from "../../../../agent/encryption/mod.ts";
import type { Produced } from "../../../../agent/application/application.ts";
import type { CatalogBackup } from "../../../../agent/catalog/mod.ts";
import { type BackupStart, MediaReader, type Skipped } from "../../../../agent/media/mod.ts";
import {
  type BackupWriter,
  chooseCut,
  chooseParent,
  CutBackups,
  Vault,
  VaultReader,
  VaultWriter,
} from "../../../../agent/vault/mod.ts";
import { AT_CWD } from "../../../../transport/runtime/files.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import {
  clock,
  compressed,
  decompressed,
  files,
  makeFolder,
  removeFolder,
} from "../application/fixture.ts";
import { makeResult } from "../media/media_fixture.ts";
import {
  EVERYTHING,
  selectionOf,
  type SourceSelection,
} from "../../../../agent/source_selection.ts";

export interface BackUpOptions extends Partial<SourceSelection> {
  readonly full?: boolean;
  readonly paths?: readonly string[];
  /** Nothing counts as changed a moment ago, although tests are fast. */
  readonly settled?: boolean;
  /** Happens after it was decided where to go on, and before anything is read. */
  readonly thenFirst?: () => void;
  /** Files that fail or count, in place of the real ones. */
  readonly through?: Files;
}

export interface Made {
  readonly backup: CatalogBackup;
  readonly warnings: readonly ApplicationWarning[];
  /** What was there from a backup that was cut; null when it began from nothing. */
  readonly kept: { readonly files: number; readonly bytes: number } | null;
}

/** How a backup is cut: after so many records, by a failure or by the death of its process. */
export interface Cut {
  readonly records: number;
  /** Of the file that a dead process leaves, which share of its bytes; null for a failure. */
  readonly share: number | null;
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

  /** Id of the backup that began last. */
  get lastId(): string {
    return `b${String(this.#count).padStart(4, "0")}`;
  }

  openVault(): Vault {
    return Vault.open({ directory: this.vault, files, clock, random });
  }

  backUp(options: BackUpOptions = {}): Made {
    using run = this.#begin(options);
    const { producer, writer } = run;
    let step = producer.next();
    for (; step.done !== true; step = producer.next()) {
      if (step.value !== null) writer.append(compressed(step.value));
    }
    return publish(run, step.value);
  }

  /** The same with encrypted frames. */
  async backUpSealed(sealer: FrameSealer, options: BackUpOptions = {}): Promise<Made> {
    using run = this.#begin(options);
    const { producer, writer } = run;
    let step = producer.next();
    for (; step.done !== true; step = producer.next()) {
      if (step.value !== null) writer.append(await sealer.seal(compressed(step.value)));
    }
    return publish(run, step.value);
  }

  /** Begins a backup that does not come to its end, unless it is too short for that. */
  cutBackUp(options: BackUpOptions, cut: Cut): void {
    using run = this.#begin(options);
    const { producer, writer, partial } = run;
    let left = cut.records;
    for (let step = producer.next(); step.done !== true && left > 0; step = producer.next()) {
      if (step.value === null) continue;
      writer.append(compressed(step.value));
      left -= 1;
    }
    producer.return({ files: 0, bytes: 0 });
    if (cut.share === null) return writer.keep();
    // What a dead process leaves: nothing that it still had in memory.
    copyFileSync(partial, `${partial}.dead`);
    writer.abort();
    renameSync(`${partial}.dead`, partial);
    const { sizeBytes } = files.stat(AT_CWD, partial);
    truncateSync(partial, Math.floor(sizeBytes * cut.share));
  }

  /** Begins a backup as the server does (agent/server/begin_backup.ts). */
  #begin(options: BackUpOptions) {
    using owned = new DisposableStack();
    const reader = owned.use(this.reader());
    const paths = options.paths ?? [this.source];
    const selection = selectionOf({ ...EVERYTHING, ...options });
    const named = { client: "web01", kind: "filesystem", database: null, paths } as const;
    const source = { ...named, ...selection };
    const chain = reader.chainOf(source);
    const full = options.full ?? false;
    const parent = chooseParent({ full, fullEvery: null, chain, nowMs: clock.wallMs() });
    const warnings: ApplicationWarning[] = [];
    const vault = owned.use(VaultWriter.open({ directory: this.vault, files }));
    this.#count += 1;
    const label = {
      ...source,
      backup: this.lastId,
      level: parent === null ? "full" : "incremental",
      needs: parent === null ? [] : chain.map((one) => one.backup),
      startedMs: clock.wallMs(),
    } as const;
    const resumed = this.#goOn({ owned, reader, vault, label });
    options.thenFirst?.();
    const writer = resumed?.writer ?? owned.use(vault.begin(label));
    const rows = parent === null ? null : reader.parentRows(parent.backup);
    const producer = produceFilesystem({
      files: options.through ?? files,
      paths,
      ...selection,
      frameBytes: this.frameBytes,
      parent: resumed?.feed ?? (rows === null ? undefined : feedOf(rows)),
      tarOffset: resumed?.tarBytes,
      openMember: resumed?.openMember,
      clock: options.settled ? undefined : clock,
      onWarning: (warning) => void warnings.push(warning),
    });
    const partial = `${this.vault}/media/${label.backup}.partial`;
    const kept = owned.move();
    const dispose = () => kept.dispose();
    const isResumed = resumed !== null;
    return { producer, writer, warnings, isResumed, partial, [Symbol.dispose]: dispose };
  }

  #goOn(parts: {
    readonly owned: DisposableStack;
    readonly reader: VaultReader;
    readonly vault: VaultWriter;
    readonly label: BackupStart;
  }): Resumed | null {
    const { owned, reader, vault, label } = parts;
    const cuts = new CutBackups({ directory: this.vault, files });
    const named = chooseCut(cuts.list(), label);
    using cut = named === null ? null : cuts.open(named.backup);
    const prefixes = cut === null ? null : runToEnd(cut.findPrefixes());
    if (named === null || cut === null || prefixes === null) return null;
    const { open, closed } = prefixes;
    const member = open === null ? null : { row: open.row, tarOffset: open.prefix.tarBytes };
    const openMember = member !== null && canGoOn(files, member) ? member : undefined;
    const prefix = openMember === undefined ? closed : open?.prefix ?? null;
    if (prefix === null) return null;
    const from = { cut, prefix };
    const draft = owned.use(runToEnd(reader.draftTree(label, label.needs.at(-1) ?? null, from)));
    const writer = vault.goOn(named.backup, from, label);
    if (writer === null) throw new Error("the label of the same source fits");
    const feed = feedOf(reader.draftRows(draft, label.paths));
    return { writer: owned.use(writer), feed, tarBytes: prefix.tarBytes, openMember };
  }

  reader(): VaultReader {
    return VaultReader.open({ directory: this.vault, files });
  }

  /** Restores a backup, or what the globs match. @returns where, the warnings and what is lost */
  restore(reference: string, include: readonly string[] = []) {
    using reader = this.reader();
    const run = this.#beginRestore(reader, reference, include);
    for (const record of run.records) run.consumer.feed(decompressed(record));
    run.consumer.finish();
    return run.restored;
  }

  /** The same with frames that may be encrypted. */
  async restoreSealed(reference: string, opener: FrameOpener) {
    using reader = this.reader();
    const run = this.#beginRestore(reader, reference, []);
    for (const record of run.records) run.consumer.feed(decompressed(await opener.open(record)));
    run.consumer.finish();
    return run.restored;
  }

  #beginRestore(reader: VaultReader, reference: string, include: readonly string[]) {
    const target = makeFolder();
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
    const records = reader.restoreRecords(plan, onLost);
    const path = `${target}${this.source}`;
    const restored = { path, warnings, lost, [Symbol.dispose]: () => removeFolder(target) };
    return { consumer, records, restored };
  }

  /** Runs the commands of a backup's label. @returns the restored source */
  replay(reference: string) {
    const target = makeFolder();
    const file = `${this.vault}/media/${reference}.tar.zst`;
    const label = execFileSync("head", ["-c", "4096", file], { encoding: "latin1" });
    const command = /for b in [^]*?done|zstd -dc \S+ \| tar --listed.*/.exec(label)?.[0] ??
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

  /** Findings of `verify --data`. */
  findings(backup: string): string[] {
    using reader = this.reader();
    const events = [...reader.verify(backup, { data: true, subset: null })];
    return events.flatMap((event) => event.type === "finding" ? [JSON.stringify(event)] : []);
  }

  /** Names of partial media files. */
  partials(): string[] {
    return readdirSync(`${this.vault}/media`).filter((name) => name.endsWith(".partial"));
  }

  /** Opens the media file of a backup; the caller closes it. */
  media(backup: string): MediaReader {
    return new MediaReader(files, `${this.vault}/media/${backup}.tar.zst`);
  }

  [Symbol.dispose](): void {
    removeFolder(this.folder);
  }
}

interface Run {
  readonly writer: BackupWriter;
  readonly warnings: readonly ApplicationWarning[];
  readonly isResumed: boolean;
}

/** Publishes what a producer has made. */
function publish({ writer, warnings, isResumed }: Run, produced: Produced): Made {
  const skipped: Skipped[] = warnings.filter(({ code }) => makesIncomplete(code))
    .map(({ path, code }) => ({ path: new TextDecoder().decode(path), reason: code }));
  const status = skipped.length > 0 ? "incomplete" : "ok";
  const { files, bytes, kept } = produced;
  const counts = { files, bytes, status, skipped, skippedCount: skipped.length } as const;
  const backup = writer.publish(makeResult(counts));
  return { backup, warnings, kept: isResumed ? kept ?? null : null };
}

interface Resumed {
  readonly writer: BackupWriter;
  readonly feed: ParentFeed;
  readonly tarBytes: number;
  readonly openMember: OpenMember | undefined;
}

export function runToEnd<T>(steps: Generator<unknown, T>): T {
  for (let step = steps.next();; step = steps.next()) {
    if (step.done === true) return step.value;
  }
}

/** The rows of a parent as they would arrive: each chunk late once. */
function feedOf(rows: Iterable<PlacedRow>): ParentFeed {
  const chunks = encodeParentRows(rows);
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
