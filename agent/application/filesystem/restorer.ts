// The consumer of a file-system restore: each member becomes an object below the target, at its
// full source path without the leading "/".
//
// Invariants: nothing outside the target is touched (target_tree.ts); nothing half-written stands
// under a final name (placement.ts); what cannot be made is a warning and the restore goes on,
// except when the medium is full or broken. Files are not synced one by one.

import { AgentError } from "../../../transport/ground/error.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../../entry.ts";
import type { Redirect, TarPieces } from "../../record.ts";
import { splitPath } from "../../tar/mod.ts";
import type { MemberExtra } from "../../tar/mod.ts";
import type { ApplicationWarning, Consumer, Totals } from "../application.ts";
import { RecordReader } from "../record_reader.ts";
import { Attributes } from "../attributes.ts";
import { notEmpty } from "../open_target.ts";
import { FileWriter, type FileWriterOptions } from "../file_writer.ts";
import { warningOfFailure } from "../restore_failure.ts";
import { LinkNames } from "./link_names.ts";
import { Placement } from "../placement.ts";
import type { Overwrite } from "../placement.ts";
import { SecondWriter, type SecondWriterOptions } from "./second_writer.ts";
import { type EnterOptions, TargetTree } from "./target_tree.ts";

const SLASH = 0x2f;
const decoder = new TextDecoder("latin1");

export interface FilesystemRestorerOptions {
  readonly files: Files;
  /** Directory to restore below; made when missing. */
  readonly target: string;
  /**
   * "refuse": the target must be empty; "never": keep what is there; "always": replace it;
   * "changed": the same, but only what differs comes, and directories that do not come keep theirs.
   */
  readonly overwrite: Overwrite;
  readonly redirects: readonly Redirect[];
  readonly onWarning: (warning: ApplicationWarning) => void;
  /** How to get a thread that writes small files, too; none when left out. */
  readonly second?: SecondWriterOptions | undefined;
  /** For tests: directory descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

/** A file that is about to be written. */
type NewSmallFile = Omit<FileWriterOptions, "freshFiles">;

export class FilesystemRestorer implements Consumer {
  readonly #files: Files;
  readonly #options: FilesystemRestorerOptions;
  readonly #tree: TargetTree;
  readonly #placement: Placement;
  readonly #attributes: Attributes;
  readonly #names: LinkNames;
  readonly #reader: RecordReader;
  readonly #second: SecondWriter | null;
  #writer: FileWriter | null = null;
  #entry: Entry | null = null;
  /** A small file whose content is to come, for the second writer. */
  #small: NewSmallFile | null = null;
  #restoredFiles = 0;
  #restoredBytes = 0;
  #done = false;

  /** @throws AgentError `failed` when the target is not empty, or is no directory */
  constructor(options: FilesystemRestorerOptions) {
    this.#files = options.files;
    this.#options = options;
    this.#names = new LinkNames(options.redirects);
    this.#placement = new Placement(options.files, {
      // Files that are to come do not show in it yet.
      beforeRemoval: () => this.#second?.wait(),
    });
    this.#attributes = new Attributes(options.files, options.onWarning);
    const { second, target, onWarning } = options;
    this.#second = second === undefined ? null : new SecondWriter({ ...second, target, onWarning });
    const underWay = this.#second ?? undefined;
    this.#tree = new TargetTree(options.files, target, {
      maxOpen: options.maxOpenDirectories,
      underWay,
    });
    this.#reader = new RecordReader({
      member: (entry, extra) => this.#onMember(entry, extra),
      data: (bytes) => this.#guard(() => this.#onData(bytes)),
      end: () => this.#onEnd(),
      lost: () => this.#onLost(),
    });
    if (options.overwrite !== "refuse" || this.#tree.isEmpty()) return;
    this.#tree.abort();
    throw notEmpty(options.target);
  }

  feed(frame: TarPieces): void {
    this.#second?.throwIfFailed();
    this.#guard(() => this.#tree.finishLeft());
    this.#reader.feed(frame);
    this.#second?.flush();
  }

  /** Of the second writer, after `finish`: what it had to warn of. */
  async settle(): Promise<void> {
    if (this.#done) await this.#second?.settle();
  }

  written(): Totals {
    const files = this.#restoredFiles + (this.#second?.files ?? 0);
    const bytes = this.#restoredBytes + (this.#second?.contentBytes ?? 0) +
      (this.#writer?.contentBytes ?? 0);
    return { files, bytes };
  }

  finish(): Totals {
    this.#reader.finish();
    this.#second?.wait();
    // A directory that cannot be completed keeps none of the others from it.
    while (this.#tree.isOpen) this.#guard(() => this.#tree.finish());
    this.#done = true;
    return this.written();
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#writer?.discard();
    this.#writer = null;
    this.#second?.wait();
    this.#second?.close();
    this.#tree.abort();
  }

  #onMember(entry: Entry, extra: MemberExtra): void {
    this.#entry = entry;
    if (entry.type === "hardlink") return this.#guard(() => this.#restoreLink(entry));
    const [path, redirected] = this.#names.writeAs(entry.path);
    this.#guard(() => {
      if (entry.type === "directory") {
        return this.#restoreDirectory(entry, extra.xattrs, splitPath(path));
      }
      if (path.length === 1) throw new AgentError("damaged", "Cannot restore: a file named /");
      const directory = this.#tree.enterParent(path, this.#howToEnter(redirected));
      const name = path.slice(path.lastIndexOf(SLASH) + 1);
      this.#waitFor(path);
      if (!this.#mayWrite(directory, name)) return;
      if (entry.type === "file") {
        this.#small = { directory, name, entry, ...extra };
        if (redirected || !this.#mayGoAside(this.#small)) this.#openWriter(this.#small);
        else if (entry.sizeBytes === 0) this.#onData(new Uint8Array(0));
      } else {
        this.#restoreNode({ directory, name }, entry, extra.xattrs);
      }
    });
  }

  #onData(bytes: Uint8Array): void {
    const small = this.#small;
    if (small !== null) {
      const batch = bytes.length === small.entry.sizeBytes
        ? this.#second?.add({ ...small, isBare: small.xattrs !== null }, bytes) ?? null
        : null;
      if (batch !== null) {
        this.#small = null;
        return this.#tree.setUnderWay(batch);
      }
      this.#openWriter(small);
    }
    this.#writer?.write(bytes);
  }

  #openWriter(file: NewSmallFile): void {
    this.#small = null;
    const services = { files: this.#files, placement: this.#placement };
    this.#writer = new FileWriter(services, { ...file, freshFiles: this.#tree.freshFiles });
  }

  /** May the second writer have the file, if all of its content comes at once? */
  #mayGoAside({ entry, sparse, xattrs }: NewSmallFile): boolean {
    return this.#second !== null && sparse === null && this.#tree.isMade &&
      this.#names.furtherNames(entry.path).length === 0 && this.#second.wants(entry, xattrs);
  }

  /** Whatever is done at a path is done after what the second writer does there. */
  #waitFor(path: Uint8Array): void {
    if (this.#second?.has(decoder.decode(path)) === true) this.#second.wait();
  }

  #onEnd(): void {
    const entry = this.#entry;
    const writer = this.#writer;
    if (entry === null) return;
    this.#guard(() => {
      if (writer !== null) {
        writer.finish(this.#attributes);
        this.#writer = null;
        this.#restoredFiles++;
        this.#restoredBytes += writer.contentBytes;
      }
      const [first] = this.#names.writeAs(entry.path);
      for (const further of this.#names.furtherNames(entry.path)) this.#link(first, further);
    });
    this.#entry = null;
  }

  /** The server names it. */
  #onLost(): void {
    this.#small = null;
    this.#writer?.discard();
    this.#writer = null;
    this.#entry = null;
  }

  #restoreDirectory(
    entry: Entry,
    xattrs: readonly Xattr[],
    components: readonly Uint8Array[],
  ): void {
    const isOurs = this.#tree.name(components);
    const keep = this.#options.overwrite === "never" && !isOurs && this.#isThere(components);
    this.#enter(components);
    this.#tree.name(components);
    this.#restoredFiles++;
    if (keep) return;
    this.#tree.setFinish((descriptor) =>
      this.#attributes.apply({ directory: descriptor, name: ".", descriptor }, entry, xattrs)
    );
  }

  #isThere(components: readonly Uint8Array[]): boolean {
    const name = components.at(-1);
    if (name === undefined) return true;
    return this.#placement.exists(this.#enter(components.slice(0, -1)), name);
  }

  #restoreNode(
    { directory, name }: { readonly directory: number; readonly name: Uint8Array },
    entry: Entry,
    xattrs: readonly Xattr[],
  ): void {
    const type = entry.type;
    const { name: temporary } = this.#placement.make((made) => {
      if (type === "symlink") return this.#files.symlink(entry.target ?? "", directory, made);
      if (type !== "fifo" && type !== "character" && type !== "block") return;
      this.#files.makeNode(directory, made, type, 0o600, entry.rdev ?? { major: 0, minor: 0 });
    });
    try {
      this.#attributes.apply({ directory, name: temporary, descriptor: null }, entry, xattrs);
      this.#placement.place(directory, temporary, name);
    } catch (error) {
      this.#placement.discard(directory, temporary);
      throw error;
    }
    this.#restoredFiles++;
  }

  #restoreLink(entry: Entry): void {
    const [first] = this.#names.writeAs(entry.target ?? entry.path);
    // The data member was written under this very name already.
    if (this.#names.isWritten(entry.path)) return;
    this.#link(first, entry.path);
  }

  /** Links `path` to what was restored as `first`. */
  #link(first: Uint8Array, path: Uint8Array): void {
    const from = splitPath(first);
    const to = splitPath(path);
    const fromName = from.pop();
    const toName = to.pop();
    if (fromName === undefined || toName === undefined) return;
    this.#waitFor(first);
    this.#waitFor(path);
    const directory = this.#enter(to);
    if (!this.#mayWrite(directory, toName)) return;
    const fromDirectory = this.#tree.openPath(from);
    try {
      const { name } = this.#placement.make((made) =>
        this.#files.link(fromDirectory, fromName, directory, made)
      );
      try {
        this.#placement.place(directory, name, toName);
      } finally {
        // Renaming one link of a file over another does nothing and leaves both.
        this.#placement.discard(directory, name);
      }
    } finally {
      this.#files.close(fromDirectory);
    }
    this.#restoredFiles++;
  }

  #enter(components: readonly Uint8Array[]): number {
    return this.#tree.enter(components, this.#howToEnter(false));
  }

  #howToEnter(redirected: boolean): EnterOptions {
    const { overwrite } = this.#options;
    const replace = overwrite === "always" || overwrite === "changed";
    return { replace, keepTimes: redirected || overwrite === "changed" };
  }

  #mayWrite(directory: number, name: Uint8Array): boolean {
    return this.#options.overwrite !== "never" || !this.#placement.exists(directory, name);
  }

  /** Runs one step; a failure that concerns one object is a warning, its content is passed over. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#writer?.discard();
      this.#writer = null;
      const path = this.#entry?.path ?? new Uint8Array([SLASH]);
      this.#options.onWarning(warningOfFailure(error, { target: this.#options.target, path }));
    }
  }
}
