// What crosses between a daemon's main thread and the worker of one job: plain data and ports.
//
// The main thread keeps control, HTTP and policy; the worker owns the volumes, STP endpoints and
// file I/O of its job, so bulk data does not cross here. Connections that the main thread
// accepted are relayed to the worker over a MessagePort.

import type { AuditEntry } from "../audit_log.ts";
import type { Confinement } from "../confinement.ts";
import type {
  Address,
  EndpointLease,
  ErrorRecord,
  Fallback,
  FlowIdentity,
  FlowStep,
  HostClaim,
  StgIdentity,
  StgMessage,
  StpTiming,
} from "../../transport/mod.ts";
import type {
  ClientEntry,
  DatabaseEntry,
  HooksConfig,
  RetentionConfig,
  TlsConfig,
} from "../config/mod.ts";
import type {
  ChannelBytes,
  ChannelReport,
  ExpiryPart,
  JobKind,
  JobRequest,
  Progress,
  Summary,
  Warning,
} from "../control/daemon.ts";
import type { Drill } from "../control/drill_view.ts";
import type { RestorePart, VerdictCounts } from "../control/restore_view.ts";
import type { WalArchivePart } from "../control/wal_report_view.ts";
import type { SourceSelection } from "../source_selection.ts";
import type { RecoveryPlan } from "../postgresql/mod.ts";
import type { WalAnswer, WalRequest } from "./wal_request.ts";

/** Where the volumes of a group are. */
export type VolumeSource =
  | { readonly kind: "array"; readonly directory: string; readonly names: readonly string[] }
  | {
    readonly kind: "raw";
    readonly paths: readonly string[];
    /** A request that is not answered for so long fails. */
    readonly timeoutMs: number;
  };

/** All that a worker needs to use a group: it joins none, the daemon has joined. */
export interface StgPart {
  readonly name: string;
  readonly source: VolumeSource;
  readonly identity: StgIdentity;
  readonly claim: HostClaim;
  readonly lease: EndpointLease;
  readonly timing: StpTiming;
  /** True: this host sends and takes no data in it that is not encrypted. */
  readonly encrypt: boolean;
}

/** Why a host cannot use a group: it is not up, or lends no more endpoints. */
export interface StgUnusable {
  readonly unusable: "down" | "no_endpoint";
  readonly detail: string;
}

/** A group as a job may use it, or why it cannot. */
export type StgAccess = { readonly part: StgPart } | StgUnusable;

interface TaskBase {
  readonly identity: FlowIdentity;
  /** Steps that the main thread has done for this job. */
  readonly steps: readonly FlowStep[];
}

export interface ServerFilesystemTask extends TaskBase {
  readonly kind: "server-filesystem";
  readonly client: ClientEntry;
  readonly stg: StgAccess;
  readonly vault: string;
  readonly action:
    | SourceSelection & {
      readonly type: "backup";
      /** Id of the backup to make. */
      readonly backup: string;
      readonly paths: readonly string[];
      /** Asked for a full backup. */
      readonly full: boolean;
    }
    | {
      readonly type: "restore";
      readonly backup: string;
      readonly target: string;
      readonly include: readonly string[];
      readonly overwrite: "refuse" | "never" | "always" | "changed";
      readonly dryRun: boolean;
    };
}

export interface ServerDatabaseTask extends TaskBase {
  readonly kind: "server-database";
  readonly client: ClientEntry;
  readonly stg: StgAccess;
  readonly vault: string;
  /** The client's configured address with the dynamic port that it announced. */
  readonly address: Address;
  /** Id of the backup, if the client wants to make one. */
  readonly newBackup: string;
}

export interface ServerVerifyTask extends TaskBase {
  readonly kind: "server-verify";
  readonly vault: string;
  readonly backups: readonly string[];
  readonly data: boolean;
  /** The n-th of m parts, null for everything. */
  readonly subset: { readonly part: number; readonly of: number } | null;
}

/** Proves archived write-ahead logs. */
export interface ServerVerifyWalTask extends TaskBase {
  readonly kind: "server-verify-wal";
  readonly vault: string;
  /** Whose; null for all. */
  readonly owner: { readonly client: string | null; readonly database: string | null };
  /** Also reads the content of every file. */
  readonly data: boolean;
}

/** Restores a backup, or a sample of it, to a scratch directory and compares it. */
export interface ServerDrillTask extends TaskBase {
  readonly kind: "server-drill";
  readonly vault: string;
  readonly backup: string;
  readonly sample: Extract<JobRequest, { kind: "drill" }>["sample"];
  readonly seed: number | null;
  /** Null for the vault's own. */
  readonly scratch: string | null;
  /** File of the server that decrypts it; null: what is encrypted is proved as it is stored. */
  readonly identityFile: string | null;
}

/** Makes the catalog again from the media. */
export interface ServerRebuildTask extends TaskBase {
  readonly kind: "server-rebuild";
  readonly vault: string;
}

/** Expires backups by the retention of the configuration. */
export interface ServerExpireTask extends TaskBase {
  readonly kind: "server-expire";
  readonly vault: string;
  readonly retention: RetentionConfig;
  /** Only says what it would do. */
  readonly dryRun: boolean;
}

/** Looks whether the channels to a client work; moves nothing. */
export interface ServerValidateTask extends TaskBase {
  readonly kind: "server-validate";
  readonly client: ClientEntry;
  readonly stg: StgAccess;
}

/** How a client's job encrypts and decrypts. */
export interface EncryptionPart {
  /** Public keys, checked; none: backups are not encrypted. */
  readonly recipients: readonly string[];
  /** File with the secret keys for restores. */
  readonly identityFile: string | null;
}

export interface ClientFilesystemTask extends TaskBase {
  readonly kind: "client-filesystem";
  /** True when the server may connect again in mid-job. */
  readonly mayRejoin: boolean;
  readonly stgs: Readonly<Record<string, StgAccess>>;
  readonly compressionLevel: number;
  readonly hooks: HooksConfig;
  readonly encryption: EncryptionPart;
  readonly allow: Confinement;
}

export interface ClientDatabaseTask extends TaskBase {
  readonly kind: "client-database";
  /** What the client's own file allows. */
  readonly allow: Confinement;
  readonly stgs: Readonly<Record<string, StgAccess>>;
  readonly compressionLevel: number;
  readonly hooks: HooksConfig;
  readonly encryption: EncryptionPart;
  readonly server: Address;
  readonly listen: Address;
  readonly spool: string;
  readonly database: DatabaseEntry;
  /** What fetches a file of the database's log, before the names of the file: a shell's words. */
  readonly walCommand: string;
  readonly action:
    | { readonly type: "backup" }
    | {
      readonly type: "restore";
      readonly backup: string;
      readonly target: string | null;
      /** Tablespaces of a cluster that go elsewhere: full paths. */
      readonly tablespaces: readonly { readonly from: string; readonly to: string }[];
      /** How the restored cluster goes on by its archived log; null: not at all. */
      readonly recovery: RecoveryPlan | null;
    }
    /** Carries the database's log for as long as the connection stands. */
    | { readonly type: "archive-wal" };
}

export type WorkerTask =
  | ServerFilesystemTask
  | ServerDatabaseTask
  | ServerVerifyTask
  | ServerVerifyWalTask
  | ServerDrillTask
  | ServerRebuildTask
  | ServerExpireTask
  | ServerValidateTask
  | ClientFilesystemTask
  | ClientDatabaseTask;

/** A connection that the main thread accepted for the job. */
export interface RelayedConnection {
  readonly role: "control" | "errors" | "storage-setup";
  readonly port: MessagePort;
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  /** What the peer proved by its certificate. */
  readonly peerName?: string | undefined;
  /** Bytes that crossed it on the main thread. */
  readonly alreadyBytes: number;
  /** Of a storage set-up: what step 160 received, and the steps so far. */
  readonly setup: { readonly message: StgMessage; readonly steps: readonly FlowStep[] } | null;
  /** Of a control connection that continues the job: how it came about. */
  readonly steps?: readonly FlowStep[];
}

/** How a thread reaches other hosts: plain data, each thread reads the files of `tls` itself. */
export interface NetworkPart {
  /** Our own name. */
  readonly name: string;
  readonly tls: TlsConfig | null;
  /** Names that peers may prove; meaningless without `tls`. */
  readonly peers: readonly string[];
}

export type ToWorker =
  /** Comes before each task: the configuration may have been read again since the last one. */
  | { readonly type: "network"; readonly network: NetworkPart }
  | { readonly type: "task"; readonly task: WorkerTask }
  | { readonly type: "connection"; readonly connection: RelayedConnection }
  /** A group is lost for this host: its id may be another's now, so nobody may write to it. */
  | { readonly type: "lost"; readonly stg: string; readonly error: ErrorRecord }
  /** To the worker that carries a log. */
  | { readonly type: "wal"; readonly request: WalRequest }
  /** The thread that the job asked for. */
  | { readonly type: "writer"; readonly port: MessagePort }
  | { readonly type: "cancel" };

/** To a thread that writes small files: serve the job behind this port, until the next comes. */
export interface ToWriter {
  readonly type: "serve";
  readonly port: MessagePort;
}

/** What it says beside the port: it cannot go on. */
export type FromWriter = Extract<FromWorker, { type: "assertion" }> | {
  readonly type: "error";
  readonly error: ErrorRecord;
};

/** What a validation found, for the main thread. */
export interface Validation {
  /** Version of the client's agent; null when it did not tell. */
  readonly clientVersion: string | null;
  /** ms by which the client's clock is ahead, at least; null when it did not tell. */
  readonly clockAheadMs: number | null;
  readonly channels: readonly ChannelReport[];
}

/** What a job did, as its worker counts it. */
export interface WorkerResult {
  readonly status: "ok" | "incomplete";
  readonly backup: string | null;
  readonly files: number | null;
  readonly bytes: number | null;
  /** Of a restore that surveyed its target. */
  readonly verdicts?: VerdictCounts;
  /** Of a backup that went on from one that was cut: what was there already. */
  readonly resumed?: Summary["resumed"];
  /** Of an expiry. */
  readonly wal?: Summary["wal"];
}

export type FromWorker =
  | { readonly type: "steps"; readonly steps: readonly FlowStep[] }
  /** Connected; says what the peer asked for. */
  | { readonly type: "running"; readonly kind: JobKind }
  | { readonly type: "backup"; readonly backup: string }
  /** The job publishes and ends by itself: its thread must not be ended for a cancellation. */
  | { readonly type: "committing" }
  /** The job uses the network although it prefers the storage. */
  | { readonly type: "fallback"; readonly fallback: Fallback }
  /** The network was cut, or is connected again. */
  | { readonly type: "network"; readonly message: string }
  | {
    readonly type: "report";
    readonly body: Progress | Warning | ExpiryPart | RestorePart | WalArchivePart;
  }
  /** What the peer asked for, and whether it was allowed, for the audit log. */
  | {
    readonly type: "audit";
    readonly peer: string | null;
    readonly entry: Omit<AuditEntry, "who">;
  }
  /** What a drill came to, before its end. */
  | { readonly type: "drill"; readonly drill: Drill }
  | { readonly type: "validation"; readonly validation: Validation }
  /** Asks for a thread that writes small files. */
  | { readonly type: "writer" }
  /** The answer to the request of this number. */
  | { readonly type: "wal"; readonly id: number; readonly answer: WalAnswer }
  | {
    readonly type: "end";
    readonly result: WorkerResult | { readonly error: ErrorRecord };
    readonly channels: ChannelBytes;
    /** Everything that the job opened is closed, and nothing more comes of it. */
    readonly closed: boolean;
  }
  /** One of our own invariants broke: the whole process must end (exit 70). */
  | { readonly type: "assertion"; readonly message: string };
