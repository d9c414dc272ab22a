// The consumer of a PostgreSQL base backup: a data directory and its tablespaces, each at the place
// that the restore gives it, owned by the server's user.
//
// Invariants: every directory that is written to was empty and is one that the host allows; nothing
// outside them is touched (target_tree.ts); the control file, without which no server starts, gets
// its name last, when all else is on the medium: a cluster that a crash cut short does not start. A
// standby comes back as a server of its own.

import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import type { UserId } from "../../../transport/runtime/mod.ts";
import type { Entry } from "../../entry.ts";
import type { TarPieces } from "../../record.ts";
import { withRecovery } from "../../postgresql/mod.ts";
import { splitPath } from "../../tar/mod.ts";
import type { ApplicationWarning, Consumer, Totals } from "../application.ts";
import { Attributes } from "../attributes.ts";
import { FileWriter } from "../file_writer.ts";
import { TargetTree } from "../filesystem/target_tree.ts";
import { hasErrno, Placement } from "../placement.ts";
import { MAX_SETTINGS_BYTES } from "../limits.ts";
import { RecordReader } from "../record_reader.ts";
import { ClusterRoots, type Root } from "./cluster_roots.ts";

const CONTROL_FILE = "global/pg_control";
const TABLESPACE_LINKS = "pg_tblspc";
const SETTINGS_FILE = "postgresql.auto.conf";
const SIGNAL_FILE = "recovery.signal";
/** Make a server a standby, or recover: what is restored does neither unless it is asked for. */
const SIGNAL_FILES: readonly string[] = ["standby.signal", SIGNAL_FILE];
const SETTINGS_MODE = 0o600;
const ENTER = { replace: false, keepTimes: false } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface BaseBackupRestorerOptions {
  readonly files: Files;
  /** Full path of the data directory to write; made when missing. */
  readonly data: string;
  /** New places of tablespaces, by the old ones; the others go where they were. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** Refuses the place of a tablespace that the host does not allow. @throws AgentError `auth` */
  readonly requireAllowed: (place: string) => void;
  /** Whom everything belongs to. */
  readonly owner: UserId;
  /** Settings with which the cluster goes on by its archived log; null: it does not. */
  readonly recovery: string | null;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

export class BaseBackupRestorer implements Consumer {
  readonly #options: BaseBackupRestorerOptions;
  readonly #attributes: Attributes;
  readonly #placement: Placement;
  readonly #reader: RecordReader;
  readonly #data: TargetTree;
  readonly #roots: ClusterRoots;
  #writer: FileWriter | null = null;
  #isControl = false;
  /** The control file at its temporary name, and the directory that it waits in. */
  #control: { readonly writer: FileWriter; readonly directory: number } | null = null;
  #restoredFiles = 0;
  #restoredBytes = 0;
  #done = false;

  /** @throws AgentError `busy` when a server may run there, `failed` when it is not empty */
  constructor(options: BaseBackupRestorerOptions) {
    this.#options = options;
    this.#attributes = new Attributes(options.files, options.onWarning);
    this.#placement = new Placement(options.files);
    this.#reader = new RecordReader({
      member: (entry) => this.#translate(() => this.#onMember(entry)),
      data: (bytes) => this.#translate(() => this.#writer?.write(bytes)),
      end: () => this.#translate(() => this.#onEnd()),
      lost: () => {
        throw this.#damaged("a part of it that cannot be read");
      },
    });
    this.#data = this.#openEmpty(options.data);
    this.#roots = new ClusterRoots({
      data: { place: options.data, tree: this.#data },
      tablespaces: options.tablespaces,
      open: (place) => {
        options.requireAllowed(place);
        return this.#openEmpty(place);
      },
    });
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
    const control = this.#control;
    if (control === null) throw this.#damaged("no control file");
    this.#requireAllMoved();
    this.#translate(() => {
      if (this.#options.recovery !== null) this.#writeRecovery(this.#options.recovery);
      for (const { tree } of this.#roots.all) tree.finish();
      control.writer.place();
      this.#options.files.sync(control.directory);
    });
    this.#closeControl();
    this.#done = true;
    return this.written();
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#writer?.discard();
    this.#control?.writer.discard();
    this.#closeControl();
    this.#data.abort();
    for (const { tree } of this.#roots.all) tree.abort();
  }

  #onMember(entry: Entry): void {
    const { uid, gid } = this.#options.owner;
    const path = decoder.decode(entry.path);
    const located = this.#roots.locate(path, entry.type);
    if (located === null) throw this.#damaged(`"${path}" outside of the cluster`);
    const { root, path: below } = located;
    const components = splitPath(new TextEncoder().encode(`/${below}`));
    const owned = { ...entry, uid, gid };
    if (entry.type === "directory") return this.#makeDirectory(root, owned, components);
    const name = components.pop();
    if (name === undefined) throw this.#damaged(`"${path}" as a file`);
    const directory = root.tree.enter(components, ENTER);
    if (entry.type === "symlink") return this.#makeLink({ directory, name }, owned, below);
    if (entry.type !== "file") throw this.#damaged(`a ${entry.type}`);
    if (root.tree === this.#data && SIGNAL_FILES.includes(below)) return;
    this.#isControl = root.tree === this.#data && below === CONTROL_FILE;
    // The tree closes its own descriptor before the control file is placed.
    const held = this.#isControl ? root.tree.openPath(components) : directory;
    const services = { files: this.#options.files, placement: this.#placement };
    const file = { directory: held, name, entry: owned, sparse: null, xattrs: null };
    this.#writer = new FileWriter(services, file);
    if (this.#isControl) this.#control = { writer: this.#writer, directory: held };
  }

  #onEnd(): void {
    const writer = this.#writer;
    if (writer === null) return;
    writer.prepare(this.#attributes);
    if (!this.#isControl) writer.place();
    this.#writer = null;
    this.#restoredFiles += 1;
    this.#restoredBytes += writer.contentBytes;
  }

  #makeDirectory(root: Root, entry: Entry, components: readonly Uint8Array[]): void {
    const { tree } = root;
    tree.enter(components, ENTER);
    tree.name(components);
    tree.setFinish((descriptor) => {
      this.#attributes.apply({ directory: descriptor, name: ".", descriptor }, entry, null);
      this.#options.files.sync(descriptor);
    });
    this.#restoredFiles += 1;
  }

  /** The link of the data directory to a tablespace, which may stand elsewhere now. */
  #makeLink(
    { directory, name }: { readonly directory: number; readonly name: Uint8Array },
    entry: Entry,
    below: string,
  ): void {
    if (!below.startsWith(`${TABLESPACE_LINKS}/`)) throw this.#damaged(`a link at "${below}"`);
    const from = decoder.decode(entry.target ?? new Uint8Array(0));
    this.#options.files.symlink(this.#roots.placeOf(from), directory, name);
    this.#attributes.apply({ directory, name, descriptor: null }, entry, null);
    this.#restoredFiles += 1;
  }

  /** The server reads these settings after all others; the empty file makes it recover. */
  #writeRecovery(settings: string): void {
    const directory = this.#data.openPath([]);
    try {
      const text = this.#readText(directory, SETTINGS_FILE);
      this.#writeText(directory, SETTINGS_FILE, withRecovery(text, settings));
      this.#writeText(directory, SIGNAL_FILE, "");
    } finally {
      this.#options.files.close(directory);
    }
  }

  #readText(directory: number, name: string): string {
    const { files } = this.#options;
    const descriptor = files.open(directory, name, { access: "read", noFollow: true });
    try {
      const bytes = new Uint8Array(MAX_SETTINGS_BYTES + 1);
      const length = files.readAt(descriptor, 0, bytes);
      if (length > MAX_SETTINGS_BYTES) throw this.#damaged(`more than settings in "${name}"`);
      return decoder.decode(bytes.subarray(0, length));
    } finally {
      files.close(descriptor);
    }
  }

  #writeText(directory: number, name: string, text: string): void {
    const { files, owner: { uid, gid } } = this.#options;
    const flags = { access: "write", create: true, truncate: true, noFollow: true } as const;
    const descriptor = files.open(directory, name, { ...flags, mode: SETTINGS_MODE });
    try {
      files.writeAll(descriptor, encoder.encode(text));
      files.changeOwner(directory, name, uid, gid);
      files.sync(descriptor);
    } finally {
      files.close(descriptor);
    }
  }

  /** @throws AgentError `usage` when a tablespace was to move that the backup does not have */
  #requireAllMoved(): void {
    const [, ...tablespaces] = this.#roots.all.map(({ from }) => from);
    for (const from of this.#options.tablespaces.keys()) {
      if (tablespaces.includes(from)) continue;
      const found = tablespaces.length === 0 ? "none" : tablespaces.join(", ");
      const message =
        `Cannot move tablespace "${from}": found ${found} in the backup, need it there`;
      throw new AgentError("usage", message, {
        hint: "Mend --tablespace, empty the directories that were written, and restore again.",
      });
    }
  }

  #openEmpty(directory: string): TargetTree {
    const { files } = this.#options;
    const tree = new TargetTree(files, directory);
    if (tree.isEmpty()) return tree;
    tree.abort();
    const isCluster = exists(files, `${directory}/postmaster.pid`);
    const found = isCluster ? "a cluster that a server may use" : "files in it";
    const message = `Cannot restore to "${directory}": found ${found}, need it empty`;
    throw new AgentError(isCluster ? "busy" : "failed", message, {
      hint: "Stop the server and move its directory away, or restore elsewhere with `--target` " +
        "and `--tablespace OLD=NEW`.",
    });
  }

  #closeControl(): void {
    if (this.#control !== null) this.#options.files.close(this.#control.directory);
    this.#control = null;
  }

  #translate(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const code = hasErrno(error, "ENOSPC", "EDQUOT") ? "no_space" : "failed";
      const message = `Cannot restore the cluster to "${this.#options.data}": found ` +
        `${error.syscall}: ${error.errno}, need directories that take it`;
      throw new AgentError(code, message, { cause: error });
    }
  }

  #damaged(found: string): AgentError {
    const message = `Cannot restore the cluster to "${this.#options.data}": found ${found}, ` +
      "need a base backup";
    return new AgentError("damaged", message, {
      hint: "Run `agent verify --data` for the backup.",
    });
  }
}

function exists(files: Files, path: string): boolean {
  try {
    files.stat(AT_CWD, path);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
