// The consumer of a file-system restore: each member becomes an object below the target, at its
// full source path without the leading "/".
//
// Invariants: nothing outside the target is touched (target_tree.ts); nothing half-written stands
// under a final name (placement.ts); what cannot be made is a warning and the restore goes on,
// except when the medium is full or broken. Files are not synced one by one.

import { AgentError } from "../../../transport/ground/error.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../../entry.ts";
import type { Redirect, TarPieces } from "../../record.ts";
import { splitPath } from "../../tar/mod.ts";
import type { MemberExtra } from "../../tar/mod.ts";
import type { ApplicationWarning, Consumer, Totals } from "../application.ts";
import { RecordReader } from "../record_reader.ts";
import { Attributes } from "../attributes.ts";
import { notEmpty } from "../open_target.ts";
import { FileWriter } from "../file_writer.ts";
import { isMediumFailure } from "../medium_failure.ts";
import { LinkNames } from "./link_names.ts";
import { hasErrno, Placement } from "../placement.ts";
import type { Overwrite } from "../placement.ts";
import { type EnterOptions, TargetTree } from "./target_tree.ts";

const SLASH = 0x2f;

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
  /** For tests: directory descriptors held at once. */
  readonly maxOpenDirectories?: number | undefined;
}

export class FilesystemRestorer implements Consumer {
  readonly #files: Files;
  readonly #options: FilesystemRestorerOptions;
  readonly #tree: TargetTree;
  readonly #placement: Placement;
  readonly #attributes: Attributes;
  readonly #names: LinkNames;
  readonly #reader: RecordReader;
  #writer: FileWriter | null = null;
  #entry: Entry | null = null;
  #restoredFiles = 0;
  #restoredBytes = 0;
  #done = false;

  /** @throws AgentError `failed` when the target is not empty, or is no directory */
  constructor(options: FilesystemRestorerOptions) {
    this.#files = options.files;
    this.#options = options;
    this.#names = new LinkNames(options.redirects);
    this.#placement = new Placement(options.files);
    this.#attributes = new Attributes(options.files, options.onWarning);
    this.#tree = new TargetTree(options.files, options.target, options.maxOpenDirectories);
    this.#reader = new RecordReader({
      member: (entry, extra) => this.#onMember(entry, extra),
      data: (bytes) => this.#guard(() => this.#writer?.write(bytes)),
      end: () => this.#onEnd(),
      lost: () => this.#onLost(),
    });
    if (options.overwrite !== "refuse" || this.#tree.isEmpty()) return;
    this.#tree.abort();
    throw notEmpty(options.target);
  }

  feed(frame: TarPieces): void {
    this.#reader.feed(frame);
  }

  written(): Totals {
    const bytes = this.#restoredBytes + (this.#writer?.contentBytes ?? 0);
    return { files: this.#restoredFiles, bytes };
  }

  finish(): Totals {
    this.#reader.finish();
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
      if (!this.#mayWrite(directory, name)) return;
      if (entry.type === "file") {
        const services = { files: this.#files, placement: this.#placement };
        const { freshFiles } = this.#tree;
        const options = { directory, name, entry, freshFiles, ...extra };
        this.#writer = new FileWriter(services, options);
      } else {
        this.#restoreNode({ directory, name }, entry, extra.xattrs);
      }
    });
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
      if (!(error instanceof SystemError)) throw error;
      const what = `${error.syscall}: ${error.errno}`;
      if (hasErrno(error, "ENOSPC", "EDQUOT")) {
        throw noSpace(this.#options.target, error);
      }
      if (isMediumFailure(error)) {
        const message = `Cannot restore to "${this.#options.target}": found ${what}, ` +
          "need a medium that takes writes";
        throw new AgentError("failed", message, { cause: error });
      }
      const code = hasErrno(error, "ENOTDIR", "ELOOP", "ENOTEMPTY", "EISDIR", "EEXIST")
        ? "occupied"
        : "unwritten";
      const path = this.#entry?.path ?? new Uint8Array([0x2f]);
      this.#options.onWarning({ code, path, message: what });
    }
  }
}

function noSpace(target: string, cause: SystemError): AgentError {
  const message = `Cannot restore to "${target}": found ${cause.errno}, need more space`;
  return new AgentError("no_space", message, { cause, hint: "Free space or give another target." });
}
