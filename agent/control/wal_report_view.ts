// What a verification of an archived log finds, as the control endpoint tells it: types only.

/** Segments of one timeline without a gap, by the names of the first and the last. */
export interface WalRangeView {
  readonly first: string;
  readonly last: string;
  readonly segments: number;
}

export interface WalTimelineView {
  readonly timeline: number;
  readonly segments: number;
  /** Ascending; a gap lies between two of them. Only the first ones of very many. */
  readonly ranges: readonly WalRangeView[];
  readonly gaps: number;
}

/** How far a backup can be recovered on the way to a timeline. */
export interface WalReachView {
  readonly timeline: number;
  readonly endLsn: string;
  /** A segment that is missing or damaged, although later ones are there; null at the log's end. */
  readonly missing: string | null;
}

/** One cluster's archive. */
export interface WalArchiveView {
  readonly type: "archive";
  readonly client: string;
  readonly database: string;
  /** The cluster's system identifier. */
  readonly system: string;
  readonly files: number;
  /** As they are stored. */
  readonly bytes: number;
  readonly timelines: readonly WalTimelineView[];
  /** Kept backups of this cluster; none of those that do not say what they need. */
  readonly backups: readonly {
    readonly backup: string;
    readonly timeline: number;
    readonly reaches: readonly WalReachView[];
  }[];
  /** What is wrong, in words. */
  readonly findings: readonly string[];
}

/** A part of what a verification of archived logs found. */
export interface WalArchivePart {
  readonly type: "wal-archives";
  readonly job: string;
  readonly items: readonly WalArchiveView[];
}

/** What a server has of one cluster's log. */
export interface WalStatusView {
  readonly client: string;
  readonly database: string;
  /** The cluster's system identifier. */
  readonly system: string;
  readonly files: number;
  /** As they are stored. */
  readonly bytes: number;
  /** Names of the first segment and of the last one of the newest timeline. */
  readonly first: string | null;
  readonly last: string | null;
  /** When the newest segment was archived: RFC 3339, UTC. */
  readonly newest: string | null;
  readonly newestAgeSeconds: number | null;
}
