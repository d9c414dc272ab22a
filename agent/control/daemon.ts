// What a daemon offers to its control endpoint: types only.
//
// The Hono app (app.ts) turns HTTP into these calls, the command line turns arguments into HTTP,
// and daemon.ts's implementers (server, client) hold the jobs. Shapes with `type` and snake-case
// free keys are the JSON of the contract: they go out as they are.

import type { ArrayView } from "./array_view.ts";
import type { FallbackReason } from "../../transport/flow/fallback_reason.ts";
import type { FlowStep } from "../../transport/flow/flow_trace.ts";
import type { ErrorRecord } from "../../transport/ground/error.ts";

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
  /** Only of a backup that went on from one that was cut: what was not sent again. */
  readonly resumed?: { readonly files: number; readonly bytes: number } | undefined;
}

export interface Progress {
  readonly type: "progress";
  readonly job: string;
  readonly phase: "connecting" | "scanning" | "reading" | "writing" | "publishing" | "verifying";
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

export type JobEventBody = Progress | Warning | ExpiryPart | JobError | Summary;

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
    readonly exclude: readonly string[];
  }
  | { readonly kind: "backup-database"; readonly database: string }
  | {
    readonly kind: "restore-filesystem";
    readonly backup: string;
    readonly target: string;
    /** Destination; null is the client the backup came from. */
    readonly client: string | null;
    readonly include: readonly string[];
    readonly overwrite: "refuse" | "never" | "always";
  }
  | {
    readonly kind: "restore-database";
    readonly backup: string;
    readonly database: string;
    readonly target: string | null;
  }
  | {
    readonly kind: "verify";
    readonly backups: readonly string[];
    readonly data: boolean;
    /** The n-th of m parts; all m together look at everything once. */
    readonly subset: { readonly part: number; readonly of: number } | null;
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

export interface BackupView {
  readonly backup: string;
  readonly client: string;
  readonly kind: "filesystem" | "postgresql" | "sqlite" | "command";
  /** Name of the database, null for file systems. */
  readonly database: string | null;
  readonly time: string;
  /** An incremental backup holds what changed since its parent; it presents the whole tree. */
  readonly level: "full" | "incremental";
  readonly status: "ok" | "incomplete";
  /** Pinned backups never expire. */
  readonly pinned: boolean;
  /** What its own media hold. */
  readonly files: number;
  readonly bytes: number;
  readonly channels: ChannelBytes;
  readonly fallback: string | null;
}

export interface BackupDetail extends BackupView {
  /** The backup that an incremental one builds on. */
  readonly parent: string | null;
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly seconds: number;
  readonly mediaBytes: number;
  /** File name within the vault. */
  readonly media: string;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

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

export interface StgView {
  readonly name: string;
  readonly state: "up" | "down";
  readonly reason: string | null;
  /** What to do about the reason. */
  readonly hint: string | null;
  readonly uuid: string | null;
  readonly host: number;
  readonly volumes: readonly string[];
  readonly hosts: readonly StgHostView[];
  readonly connections: readonly StgConnectionView[];
  /** What an operator should put right, as sentences. */
  readonly warnings: readonly string[];
}

export interface StgHostView {
  readonly host: number;
  readonly name: string;
  /** Grows with each process that took the host id. */
  readonly generation: number;
  /** False when the host gave its id back. */
  readonly attached: boolean;
  /** Null until it was watched long enough. */
  readonly live: boolean | null;
  readonly heartbeatAgeMs: number | null;
  /** Volumes on which it beats. */
  readonly volumes: readonly string[];
  readonly deadMs: number;
  /** Ports on which it listens. */
  readonly ports: readonly number[];
  readonly endpoints: {
    readonly total: number;
    readonly used: number;
    readonly quarantined: number;
  };
  /** How often which error was found, and healed, by its endpoints. */
  readonly errors: {
    readonly tornFrames: number;
    readonly staleFrames: number;
    readonly damagedFrames: number;
    readonly badBlocks: number;
    readonly cursorsBack: number;
    readonly cursorsBeyond: number;
    readonly framesAsked: number;
    readonly framesSentAgain: number;
  };
}

/** A socket as its owner's control block shows it; both ends of a connection are listed. */
export interface StgConnectionView {
  readonly host: number;
  readonly endpoint: number;
  readonly port: number;
  readonly peerHost: number;
  readonly peerEndpoint: number;
  readonly peerPort: number;
  readonly state: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly framesInFlight: number | null;
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
  readonly jobs: { readonly running: number; readonly total: number };
  /** Of a server: backups that were cut, for the next one of their source to go on with. */
  readonly cutBackups: readonly CutBackupView[];
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
  readonly seconds: number;
  readonly channels: readonly ChannelReport[];
}

/** Calls throw AgentError: `not_found` for an unknown job or backup, `usage` for the wrong role. */
export interface Daemon {
  readonly role: Role;
  status(): StatusView;
  /** Accepts the job and returns at once; its end is an event. */
  startJob(request: JobRequest): JobView;
  jobs(): readonly JobView[];
  /** Unique prefixes name a job. */
  job(id: string): JobView;
  /** Asks a running job to stop; returns at once. Cancelling an ended job changes nothing. */
  cancelJob(id: string): JobView;
  trace(id: string): readonly TraceStep[];
  /** Events after `since`, then live ones, ending after the Summary. */
  events(id: string, options: { since: number; signal: AbortSignal }): AsyncIterable<JobEvent>;
  stgs(): readonly StgView[];
  /** The emulated arrays that its groups lie on and that are attached now. */
  arrays(): readonly ArrayView[];
  /** Sets every channel to a client up and gives it up again. Server only, as all below. */
  validate(client: string): Promise<ValidationView>;
  /** Newest last. */
  backups(): readonly BackupView[];
  /** Unique prefixes, `latest`, `latest:CLIENT`, `latest:DATABASE`. */
  backup(reference: string): BackupDetail;
  /** Keeps a backup for ever, or lets retention decide again. Server only. */
  pin(reference: string, pinned: boolean): BackupDetail;
  /** Immediate children of `path`, or the object itself; without a path the roots. */
  list(reference: string, path: string | null): readonly ListedEntry[];
  /** What a glob matches in any backup. */
  find(glob: string): Promise<readonly FoundEntry[]>;
  /** What changed from one backup to another. */
  diff(before: string, after: string): Promise<readonly ChangedEntry[]>;
}
