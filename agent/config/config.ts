// What a configuration file says, as plain data: it crosses threads as it is.
//
// Types only. All defaults are filled in, all paths are absolute, sizes are bytes and durations
// milliseconds. Groups, clients and databases are lists with unique names (find by `name`), not
// objects, so that no name can collide with what every object inherits.

import type { Confinement } from "../confinement.ts";
import type { Sample } from "./quantity.ts";
import type { SourceSelection } from "../source_selection.ts";

/** Where a daemon's control endpoint listens, or where the command line finds it. */
export type ControlAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "http"; readonly host: string; readonly port: number };

export interface NetworkConfig {
  readonly listen: string;
  /** The well-known port (WKP); a client listens on the next one too (Fig. 4A). */
  readonly port: number;
  /** Ports that dynamic sockets may use, both ends included; null leaves it to the system. */
  readonly dynamic: { readonly first: number; readonly last: number } | null;
}

/** Shape only: paths of PEM files. */
export interface TlsConfig {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** List of revoked serials and names; null when there is none. */
  readonly revoked: string | null;
}

export interface StgConfig {
  readonly name: string;
  /** This host's id within the group. */
  readonly host: number;
  /** The emulated array's directory; null when the volumes are raw block devices. */
  readonly array: string | null;
  /** Volume names of the array, or paths of block devices. */
  readonly volumes: readonly string[];
  readonly heartbeatMs: number;
  readonly deadTimeMs: number;
  /** True: what jobs send through the group is encrypted, or the group is not used. */
  readonly encrypt: boolean;
}

export type ChannelPolicy = "prefer-storage" | "storage-only" | "network-only";

export interface ClientEntry {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Name of the group that carries the data; null only with `network-only`. */
  readonly stg: string | null;
  readonly channel: ChannelPolicy;
  /** How long the storage channel may take before the fallback. */
  readonly waitMs: number;
  /** Network connections of a job (Fig. 4). */
  readonly connections: 1 | 2;
  /** What every backup of the client's files leaves out. */
  readonly selection: SourceSelection;
  /** How often a backup of the client's files is full; null: only when asked for. */
  readonly fullEvery: FullEvery | null;
  /** What operators of the server may ask of the client. */
  readonly allow: Confinement;
}

/** After so much time, or as every n-th. */
export type FullEvery =
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "count"; readonly count: number };

/** How many backups of each source are kept; 0 is a rule that is not used. */
export interface Retention {
  readonly last: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  readonly withinMs: number;
}

/** The retention of each client's backups; null keeps everything. */
export interface RetentionConfig {
  /** Of clients without one of their own, and of those that are configured no more. */
  readonly general: Retention | null;
  readonly clients: readonly { readonly client: string; readonly retention: Retention | null }[];
}

export type DatabaseEntry =
  | { readonly name: string; readonly kind: "sqlite"; readonly path: string }
  | {
    readonly name: string;
    readonly kind: "postgresql";
    readonly data: string;
    /** Directory of the Unix socket. */
    readonly socket: string;
    readonly port: number;
    readonly user: string;
  }
  | {
    readonly name: string;
    readonly kind: "command";
    readonly backup: readonly string[];
    readonly restore: readonly string[];
    readonly streams: number;
    /** Null: standard output and input. */
    readonly pipes: PipesConfig | null;
  };

/** Parallel streams of a database. */
export function streamsOf(database: DatabaseEntry): number {
  return database.kind === "command" ? database.streams : 1;
}

/** Named pipes between the agent and a program. */
export interface PipesConfig {
  /** User whose programs open them; null: the agent's. */
  readonly owner: string | null;
  readonly openWithinMs: number;
}

/** A program that the client runs before or after each backup. */
export interface HookConfig {
  /** The program and its arguments: no shell reads them. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
  /** What its failure is to the job. */
  readonly onFailure: "fail" | "warn";
}

/** A socket that serves nothing but write-ahead logs, and belongs to that user. */
export interface WalSocketConfig {
  readonly path: string;
  readonly user: string;
}

export interface HooksConfig {
  readonly pre: HookConfig | null;
  readonly post: HookConfig | null;
}

/** How many of its jobs a daemon runs at once, and how many more may wait for their turn. */
export interface JobsConfig {
  readonly maxRunning: number;
  readonly maxQueued: number;
}

/** What a daemon starts by itself, and when. */
export interface ScheduleEntry {
  readonly name: string;
  /** Five fields of cron, or a word such as "@daily". */
  readonly cron: string;
  /** A name of the IANA database: expressions are local times there. */
  readonly timeZone: string;
  /** True when a run that was missed is made up for. */
  readonly catchUp: boolean;
  readonly task: ScheduleTask;
}

export type ScheduleTask =
  | {
    readonly kind: "backup-filesystem";
    readonly client: string;
    readonly paths: readonly string[];
    readonly full: boolean;
  } & SourceSelection
  | { readonly kind: "backup-database"; readonly database: string }
  | { readonly kind: "expire" }
  /** Each run looks at the next of so many parts of the vault. */
  | { readonly kind: "verify"; readonly data: boolean; readonly parts: number }
  /** Each run takes the latest backup of the next of the clients; or of the database. */
  | {
    readonly kind: "drill";
    readonly clients: readonly string[];
    readonly database: string | null;
    /** Null restores all. */
    readonly sample: Sample | null;
    /** Directory of the server to restore to; null is the vault's own. */
    readonly scratch: string | null;
    /** File with the secret key that decrypts; null proves what is encrypted as it is stored. */
    readonly identityFile: string | null;
  };

/** Who can read a client's backups (age); shape only. */
export interface EncryptionConfig {
  /** Public keys. Backups are encrypted when there are some, here or in the file. */
  readonly recipients: readonly string[];
  /** File with more of them. */
  readonly recipientsFile: string | null;
  /** File with secret keys for restores; it need not be there before. */
  readonly identityFile: string | null;
}

interface CommonConfig {
  /** The file it came from, absolute. */
  readonly file: string;
  readonly name: string;
  readonly network: NetworkConfig;
  readonly control: ControlAddress;
  /** File with the bearer token; set whenever `control` is http. */
  readonly controlToken: string | null;
  readonly tls: TlsConfig | null;
  readonly stgs: readonly StgConfig[];
  readonly jobs: JobsConfig;
  readonly schedules: readonly ScheduleEntry[];
  /** File with who did what; null keeps none. */
  readonly audit: string | null;
}

export interface ServerConfig extends CommonConfig {
  readonly role: "server";
  readonly vault: string;
  readonly clients: readonly ClientEntry[];
  readonly retention: RetentionConfig;
}

export interface ClientConfig extends CommonConfig {
  readonly role: "client";
  readonly server: {
    /** What its certificate must carry; null only without `tls`. */
    readonly name: string | null;
    readonly address: string;
    readonly port: number;
    readonly connections: 1 | 2;
  };
  readonly databases: readonly DatabaseEntry[];
  /** Directory for database snapshots while they are being backed up. */
  readonly spool: string;
  readonly compression: { readonly level: number };
  readonly hooks: HooksConfig;
  /** Directory for what must survive a restart: what was run last by its schedules. */
  readonly state: string;
  readonly encryption: EncryptionConfig;
  /** What this client lets its server do. */
  readonly allow: Confinement;
  /** A second control socket for the user of a database; null for none. */
  readonly walSocket: WalSocketConfig | null;
}

export type Config = ServerConfig | ClientConfig;
