// One entry of a backup: what a file system object is, and where its tar member stands.
//
// Types only. Paths are raw bytes: names that are not UTF-8 survive. `path` is the full source
// path with its leading "/"; the tar member's name is the same without it.

export type EntryType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "fifo"
  | "character"
  | "block";

/** A file system object as the walk saw it (lstat). */
export interface Entry {
  readonly path: Uint8Array;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid, sticky (0o7777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Apparent size of a file's content; 0 for everything else. */
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** A symlink's target as stored, or a hard link's first name (full path); null otherwise. */
  readonly target: Uint8Array | null;
  /** Of device nodes; null otherwise. */
  readonly rdev: { readonly major: number; readonly minor: number } | null;
}

/**
 * An extended attribute of an object: any bytes but NUL in the full name ("user.x"), any in the
 * value. Access control lists and capabilities are such. They travel in the tar stream only: the
 * time of change (ctime) tells that they changed.
 */
export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * An entry and the place of its member in the tar stream of its media file. The member's bytes
 * are `[tarOffset, tarOffset + tarBytes)`: pax headers, header, content, padding. A hard link's
 * member carries no data: its data is the member of `entry.target`.
 */
export interface IndexRow {
  readonly entry: Entry;
  readonly tarOffset: number;
  readonly tarBytes: number;
}

/**
 * What a backup says of a path beside its members. `deleted`: it and all below it are gone since
 * the parent, or its member is void. `unsettled`: what was read may be of another moment than the
 * entry, so the next incremental backup reads it again.
 */
export interface IndexNote {
  readonly kind: "deleted" | "unsettled";
  readonly path: Uint8Array;
}

/** Index rows of some frames and the notes that travel with them. */
export interface IndexPage {
  readonly rows: readonly IndexRow[];
  readonly notes: readonly IndexNote[];
}
