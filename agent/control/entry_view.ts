// What a daemon shows of the objects in backups: types only.

/** One line of `ls`: an immediate child, or the object itself. */
export interface ListedEntry {
  /** Full source path; lossy when not UTF-8, then `pathBase64` has the bytes. */
  readonly path: string;
  readonly pathBase64: string | null;
  readonly type: string;
  /** Four octal digits or more. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly bytes: number;
  /** RFC 3339 with nanoseconds, UTC. */
  readonly mtime: string;
  readonly target: string | null;
}

/** One line of `find`: a state of a path, and the first and last backup that have it. */
export interface FoundEntry extends ListedEntry {
  readonly client: string;
  readonly first: string;
  readonly last: string;
}

export type ChangeReason =
  | "type"
  | "size"
  | "mtime"
  | "mode"
  | "owner"
  | "target"
  | "device"
  | "inode"
  | "ctime";

/** One line of `diff`. */
export interface ChangedEntry {
  readonly change: "added" | "removed" | "changed";
  readonly path: string;
  readonly pathBase64: string | null;
  readonly type: string;
  readonly bytes: number;
  /** How it changed; none of what was added or removed. */
  readonly reasons: readonly ChangeReason[];
}
