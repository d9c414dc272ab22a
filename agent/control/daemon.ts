// What a daemon offers to its control endpoint: types only.
//
// The Hono app (app.ts) turns HTTP into these calls, the command line turns arguments into HTTP,
// and daemon.ts's implementers (server, client) hold the jobs. Shapes with `type` and snake-case
// free keys are the JSON of the contract: they go out as they are.

import type { ArrayDeviceMap, ArrayView } from "./array_view.ts";
import type { CertificateView } from "./certificate_view.ts";
import type { ChangedEntry, FoundEntry, ListedEntry } from "./entry_view.ts";
import type { LastBackupView, ScheduleView } from "./schedule_view.ts";
import type { FallbackReason } from "../../transport/flow/fallback_reason.ts";
import type { FlowStep } from "../../transport/flow/flow_trace.ts";
import type { ErrorRecord } from "../../transport/ground/error.ts";
import type { Drill } from "./drill_view.ts";
import type { RestorePart, VerdictCounts } from "./restore_view.ts";
import type { StgView } from "./stg_view.ts";
import type { WalArchivePart, WalStatusView } from "./wal_report_view.ts";
import type { SourceSelection } from "../source_selection.ts";
import type { RecoveryPlan } from "../postgresql/recovery_plan.ts";
import type { WalKeeper } from "./wal_view.ts";

export type { ChangedEntry, ChangeReason, FoundEntry, ListedEntry } from "./entry_view.ts";

export type Role = "server" | "client";

export type JobKind =
  | "backup-filesystem"
  | "backup-database"
  | "restore-filesystem"
  | "restore-database"
  | "verify"
  /** Makes the catalog again from the media. */
  | "rebuild-catalog"
  | "expire"
  /** Carries the write-ahead log of a database, for as long as its connection stands. */
  | "archive-wal"
  /** Proves archived write-ahead logs. */
  | "verify-wal"
  /** Restores a sample of a backup to the server's scratch and compares it. */
  | "drill"
  /** A look at the channels to a client; it moves no data, and no list keeps it. */
  | "validate";

export type JobState =
  | "queued"
  | "connecting"
  | "running"
  | "ok"
  | "incomplete"
  | "failed"
  | "cancelled";

export interface ChannelBytes {
  readonly network: { readonly bytes: number };
  readonly storage: { readonly bytes: number };
}

/** The last line of a job's output (contract: all keys are there, null where they do not apply). */
export interface Summary {
  readonly type: "summary";
  readonly job: string;
  readonly backup: string | null;
  readonly status: "ok" | "incomplete" | "failed";
  readonly files: number | null;
  /** Source content bytes. */
  readonly bytes: number | null;
  readonly seconds: number;
  readonly channels: ChannelBytes;
  /** Why data went over the network although storage was preferred; else null. */
  readonly fallback: FallbackReason | null;
  /** What a dry run of a restore found, or a restore of what changed did; only there. */
  readonly verdicts?: VerdictCounts | undefined;
  /** What a drill came to; only there, and also when it failed. */
  readonly drill?: Drill | undefined;
  /** Only of a backup that went on from one that was cut: what was not sent again. */
  readonly resumed?: { readonly files: number; readonly bytes: number } | undefined;
  /** Only of an expiry: the archived log that it removes, or would remove. */
  readonly wal?: WalExpiryView | undefined;
}

/** What an expiry removes of all archives of write-ahead logs, and of each. */
export interface WalExpiryView {
  readonly files: number;
  /** As they are stored. */
  readonly bytes: number;
  readonly archives: readonly {
    readonly client: string;
    readonly database: string;
    /** The cluster's system identifier. */
    readonly system: string;
    readonly files: number;
    readonly bytes: number;
    /** What stays, and for which backup, or why all of it. */
    readonly why: string;
  }[];
}

export interface Progress {
  readonly type: "progress";
  readonly job: string;
  /** "queued" while the job waits for its turn: all numbers are 0 then. */
  readonly phase:
    | "queued"
    | "connecting"
    | "scanning"
    | "reading"
    | "writing"
    | "publishing"
    | "verifying";
  readonly files: number;
  readonly bytes: number;
  /** Null while unknown. */
  readonly totalFiles: number | null;
  readonly totalBytes: number | null;
  readonly seconds: number;
  /** Data bytes per second over the last second or so. */
  readonly bytesPerSecond: number;
  readonly channels: ChannelBytes;
}

/** A file or thing that was skipped or damaged; the job goes on. */
export interface Warning {
  readonly type: "warning";
  readonly job: string;
  readonly code: string;
  readonly message: string;
  /** Full source path as text (lossy for names that are not UTF-8), null when none applies. */
  readonly path: string | null;
}

export interface JobError extends ErrorRecord {
  readonly type: "error";
  readonly job: string;
}

/** What an expiry does, or would do, with one backup. */
export interface ExpiryItemView {
  readonly type: "item";
  readonly backup: string;
  readonly client: string;
  readonly kind: string;
  readonly database: string | null;
  readonly time: string;
  readonly status: "ok" | "incomplete";
  /** "held" expired before; its media file stayed, because of others or of a crash. */
  readonly action: "keep" | "expire" | "held";
  /** The rules that keep it, or why it goes, or what still needs its media. */
  readonly why: readonly string[];
  /** Bytes of media that are freed. */
  readonly frees: number;
  /** Bytes of media of an expired backup that stay, because others need them. */
  readonly holds: number;
}

/** A part of the plan of an expiry. */
export interface ExpiryPart {
  readonly type: "expiry";
  readonly job: string;
  readonly items: readonly ExpiryItemView[];
}

export type JobEventBody =
  | Progress
  | Warning
  | ExpiryPart
  | RestorePart
  | WalArchivePart
  | JobError
  | Summary;

/** An event with its number within the job: 1, 2, 3, … (`since` resumes after one). */
export interface JobEvent {
  readonly id: number;
  readonly body: JobEventBody;
}

/** One step of Fig. 4, 4A or 5 as it happened; a job shows those of both sides. */
export type TraceStep = FlowStep;

export type JobRequest =
  | {
    readonly kind: "backup-filesystem";
    readonly client: string;
    readonly paths: readonly string[];
    readonly full: boolean;
  } & SourceSelection
  | { readonly kind: "backup-database"; readonly database: string }
  | {
    readonly kind: "restore-filesystem";
    readonly backup: string;
    readonly target: string;
    /** Destination; null is the client the backup came from. */
    readonly client: string | null;
    readonly include: readonly string[];
    /** "changed" replaces what differs, and moves nothing else. */
    readonly overwrite: "refuse" | "never" | "always" | "changed";
    /** Only says what it would do. */
    readonly dryRun: boolean;
  }
  | {
    readonly kind: "restore-database";
    readonly backup: string;
    readonly database: string;
    readonly target: string | null;
    /** Tablespaces of a PostgreSQL cluster that go elsewhere: full paths. */
    readonly tablespaces: readonly { readonly from: string; readonly to: string }[];
    /** Of a PostgreSQL cluster: how far it goes on by its archived log; null: not at all. */
    readonly recovery: RecoveryPlan | null;
  }
  | {
    readonly kind: "verify";
    readonly backups: readonly string[];
    readonly data: boolean;
    /** The n-th of m parts; all m together look at everything once. */
    readonly subset: { readonly part: number; readonly of: number } | null;
  }
  | {
    readonly kind: "drill";
    readonly backup: string;
    /** How many entries, or what share of them; null restores all. */
    readonly sample: { readonly entries: number } | { readonly percent: number } | null;
    /** Repeats a sample; null draws one. */
    readonly seed: number | null;
    /** Directory of the server to restore to; null is the vault's own. */
    readonly scratch: string | null;
    /** File of the server that decrypts an encrypted one; null: it is proved as it is stored. */
    readonly identityFile: string | null;
  }
  | {
    readonly kind: "verify-wal";
    /** Null for all. */
    readonly client: string | null;
    readonly database: string | null;
    /** Also reads the content of every file. */
    readonly data: boolean;
  }
  | { readonly kind: "rebuild-catalog" }
  | { readonly kind: "expire"; readonly dryRun: boolean };

export interface JobView {
  readonly job: string;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly client: string | null;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly request: JobRequest | null;
  readonly progress: Progress | null;
  readonly error: ErrorRecord | null;
  readonly summary: Summary | null;
}

export interface BackupView extends SourceSelection {
  readonly backup: string;
  readonly client: string;
  readonly kind: "filesystem" | "postgresql" | "sqlite" | "command";
  /** Name of the database, null for file systems. */
  readonly database: string | null;
  readonly time: string;
  /** Of a database where it is; of files what was asked for, with the selection beside it. */
  readonly paths: readonly string[];
  /** An incremental backup holds what changed since its parent; it presents the whole tree. */
  readonly level: "full" | "incremental";
  readonly status: "ok" | "incomplete";
  /** Pinned backups never expire. */
  readonly pinned: boolean;
  /** How its last drill went, null before the first. */
  readonly drilled: Drill | null;
  /** What its own media hold. */
  readonly files: number;
  readonly bytes: number;
  readonly channels: ChannelBytes;
  readonly fallback: string | null;
}

export interface BackupDetail extends BackupView {
  /** The backup that an incremental one builds on. */
  readonly parent: string | null;
  readonly seconds: number;
  readonly mediaBytes: number;
  /** File name within the vault. */
  readonly media: string;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

export interface StatusView {
  readonly role: Role;
  readonly name: string;
  readonly version: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly uptimeSeconds: number;
  readonly residentBytes: number;
  readonly stgs: readonly StgView[];
  readonly jobs: { readonly running: number; readonly queued: number; readonly total: number };
  readonly schedules: readonly ScheduleView[];
  /** Of a server: how old the newest backup of each client and database is. */
  readonly clients: readonly LastBackupView[];
  /** Of a server: backups that were cut, for the next one of their source to go on with. */
  readonly cutBackups: readonly CutBackupView[];
  /** What `tls` names; none without. */
  readonly certificates: readonly CertificateView[];
  /** Of a server: archived write-ahead logs, as they were counted a few seconds ago. */
  readonly wal: readonly WalStatusView[];
}

/** What is there of a backup that was cut. */
export interface CutBackupView {
  readonly client: string;
  readonly paths: readonly string[];
  /** When it began. */
  readonly time: string;
  readonly mediaBytes: number;
}

/** One channel to a client, as it was found by setting it up. */
export interface ChannelReport {
  readonly channel: "network" | "storage";
  readonly usable: boolean;
  /** Why it is not usable: a fallback reason of the storage, an error code of the network. */
  readonly reason: string | null;
  /** What was found, in words. */
  readonly detail: string;
  /** The group of a storage channel. */
  readonly stg: string | null;
}

/** What validating a client found. */
export interface ValidationView {
  readonly client: string;
  /** The client's channel policy, which says what it needs. */
  readonly policy: "prefer-storage" | "storage-only" | "network-only";
  /** True when every channel that the policy wants is usable. */
  readonly ok: boolean;
  readonly version: string;
  /** Version of the client's agent; null when it did not tell. */
  readonly clientVersion: string | null;
  /** ms by which the client's clock is ahead of the server's, at least; null: it did not tell. */
  readonly clockAheadMs: number | null;
  readonly seconds: number;
  readonly channels: readonly ChannelReport[];
}

/** Calls throw AgentError: `not_found` for an unknown job or backup, `usage` for the wrong role. */
export interface Daemon extends WalKeeper {
  readonly role: Role;
  status(): StatusView;
  /** Accepts the job, which may have to wait, and returns at once; its end is an event. */
  startJob(request: JobRequest): JobView;
  jobs(): readonly JobView[];
  /** Unique prefixes name a job. */
  job(id: string): JobView;
  /** Asks a job to stop, one that waits ends at once. An ended job stays as it is. */
  cancelJob(id: string): JobView;
  trace(id: string): readonly TraceStep[];
  /** Events after `since`, then live ones, ending after the Summary. */
  events(id: string, options: { since: number; signal: AbortSignal }): AsyncIterable<JobEvent>;
  /** What the configuration schedules. */
  schedules(): readonly ScheduleView[];
  stgs(): readonly StgView[];
  /** The emulated arrays that its groups lie on and that are attached now. */
  arrays(): readonly ArrayView[];
  /** What of an array's devices is in cache, by its uuid. */
  arrayMap(uuid: string): readonly ArrayDeviceMap[];
  /** Sets every channel to a client up and gives it up again. Server only, as all below. */
  validate(client: string): Promise<ValidationView>;
  /** Newest last. */
  backups(): readonly BackupView[];
  /** Unique prefixes, `latest`, `latest:CLIENT`, `latest:DATABASE`. */
  backup(reference: string): BackupDetail;
  /** Keeps a backup for ever, or lets retention decide again. Server only. */
  pin(reference: string, pinned: boolean): BackupDetail;
  /** Immediate children of `path` (text or bytes), or the object itself; without one the roots. */
  list(reference: string, path: string | Uint8Array | null): readonly ListedEntry[];
  /** What a glob matches in any backup. */
  find(glob: string): Promise<readonly FoundEntry[]>;
  /** What changed from one backup to another. */
  diff(before: string, after: string): Promise<readonly ChangedEntry[]>;
}
