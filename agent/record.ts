// What travels on the data channel of a job: numbered records around whole zstd frames.
//
// Types only; job/link.ts carries them. The client makes the media: it reads, frames, compresses;
// the server writes the frames unmodified. On restore the server sends whole frames and says which
// pieces of each are wanted; the client decompresses and cuts.

/** Backup, on the client: the content of a frame and what is said about it, to be compressed. */
export interface TarFrame
  extends Pick<DataRecord, "sequence" | "rows" | "rowCount" | "contentBytes"> {
  readonly tar: Uint8Array;
  /** Which of the link's connections carries it, of a job that has one for each stream. */
  readonly lane?: number;
  /** To be called when `tar` is not read any more: its memory holds another frame then. */
  readonly release: () => void;
}

/** Backup, client to server: one zstd frame of the tar stream and the rows that start in it. */
export interface DataRecord {
  /** 0, 1, 2, … without a gap. */
  readonly sequence: number;
  /** One complete zstd frame with content checksum and content size. */
  readonly frame: Uint8Array;
  /** Size of the frame's content: the tar bytes it stands for, at most 4 MiB. */
  readonly tarBytes: number;
  /** Index rows of the members whose first byte lies in this frame (encodeIndexRows). */
  readonly rows: Uint8Array;
  readonly rowCount: number;
  /** Source content bytes (not tar, not compressed) in this frame, for progress. */
  readonly contentBytes: number;
  /** As of the frame; does not travel. */
  readonly lane?: number | undefined;
}

/**
 * Incremental backup, server to client, each on demand: rows of the parent as one zstd frame
 * (application/filesystem/parent_rows.ts); one without rows ends them.
 */
export interface ParentChunk {
  /** 0, 1, 2, … */
  readonly index: number;
  readonly frame: Uint8Array;
  /** Size of the frame's content. */
  readonly rowBytes: number;
}

/** A part of a frame's content. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
}

/**
 * Restore, server to client: one zstd frame and the pieces wanted of its content. All pieces of a
 * restore, put end to end, are a tar stream (without its two closing zero blocks). A record with an
 * empty frame takes the member back of which the pieces before it were the beginning: its rest is
 * damaged, and the next piece begins another one.
 */
export interface RestoreRecord {
  readonly sequence: number;
  /** Empty: the member under way is lost. */
  readonly frame: Uint8Array;
  readonly tarBytes: number;
  readonly pieces: readonly Piece[];
}

/** Restore, on the client: the content of a record's frame and the pieces wanted of it. */
export interface TarPieces extends Pick<RestoreRecord, "sequence" | "pieces"> {
  /** Null: the member under way is lost. */
  readonly tar: Uint8Array | null;
}

/**
 * A name to write in place of a member's own: the data of a hard-link set lives in the member of
 * its first name, which the selection may not contain. Paths are full source paths.
 */
export interface Redirect {
  readonly member: Uint8Array;
  readonly writeAs: Uint8Array;
}
