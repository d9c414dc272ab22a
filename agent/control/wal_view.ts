// What a daemon offers for the write-ahead logs of its databases: types only.

/** A file of a log that was handed over. */
export interface WalPush {
  readonly database: string;
  /** As PostgreSQL names it: a segment, a partial one, a history or a backup's history. */
  readonly name: string;
  /** Identifier of the cluster, decimal; null when only the file itself says it. */
  readonly system: string | null;
  readonly bytes: Uint8Array;
}

/** A file of a log that the daemon may see itself: what it must be. */
export interface WalPushOwn extends Omit<WalPush, "bytes"> {
  readonly bytes: number;
  /** SHA-256 of its content, hex. */
  readonly sha256: string;
}

export interface WalGet {
  readonly database: string;
  readonly name: string;
  /** Null for the only cluster that the archive has of this database. */
  readonly system: string | null;
}

/** That it is durable: now, or it was before. */
export interface WalPushed {
  readonly outcome: "stored" | "same";
}

/** Or the daemon does not see that file: it needs the bytes. */
export interface WalPushedOwn {
  readonly outcome: WalPushed["outcome"] | "unlike";
}

/** Calls throw AgentError: `usage` for the wrong role, what the archive refuses otherwise. */
export interface WalKeeper {
  pushWal(push: WalPush): Promise<WalPushed>;
  pushOwnWal(push: WalPushOwn): Promise<WalPushedOwn>;
  /** @returns one zstd frame; null when the archive was looked at and does not have the file */
  getWal(get: WalGet): Promise<Uint8Array | null>;
}
