// What the daemons of both roles share: jobs and their views, status, groups, stopping. The roles
// add what they listen for and which requests they accept.

import {
  type Address,
  AgentError,
  ConnectLayer,
  type ErrorRecord,
  ProcProcessTable,
  toErrorRecord,
} from "../transport/mod.ts";
import { askedDetails } from "./asked_details.ts";
import type { Config, ScheduleEntry } from "./config/mod.ts";
import type { ArrayDeviceMap, ArrayView } from "./control/array_view.ts";
import type {
  BackupDetail,
  BackupView,
  ChangedEntry,
  CutBackupView,
  Daemon,
  FoundEntry,
  JobEvent,
  JobRequest,
  JobView,
  ListedEntry,
  Role,
  StatusView,
  TraceStep,
  ValidationView,
} from "./control/daemon.ts";
import type { StgView } from "./control/stg_view.ts";
import type { WalStatusView } from "./control/wal_report_view.ts";
import type { WalGet, WalPush, WalPushed, WalPushedOwn, WalPushOwn } from "./control/wal_view.ts";
import type { LastBackupView, ScheduleView } from "./control/schedule_view.ts";
import { type DaemonParts, VERSION } from "./daemon_parts.ts";
import { JobRunner } from "./job/mod.ts";
import { Scheduler } from "./schedule/mod.ts";
import type { StgService, StgServiceParts } from "./stg/mod.ts";

export abstract class DaemonBase implements Daemon, AsyncDisposable {
  abstract readonly role: Role;
  protected readonly parts: DaemonParts;
  protected readonly stgService: StgService;
  protected readonly runner: JobRunner;
  /** Connections that the main thread accepts; what jobs open is on their own layers. */
  protected readonly layer: ConnectLayer;
  protected readonly stopping = new AbortController();
  readonly #name: string;
  readonly #startedMs: number;
  #scheduler: Scheduler | null = null;

  protected constructor(config: Config, parts: DaemonParts, stgService: StgService) {
    const { clock, random } = parts.runtime;
    this.#name = config.name;
    this.#startedMs = clock.monotonicMs();
    this.parts = parts;
    this.stgService = stgService;
    this.layer = new ConnectLayer({ network: parts.network, storage: null });
    const { startThread, equipThread, startWriter, audit, onAssertion } = parts;
    const onTrouble = (message: string) => parts.log("warning", message);
    const limits = config.jobs;
    this.runner = new JobRunner({
      limits,
      clock,
      random,
      startThread,
      equipThread,
      startWriter,
      audit,
      onAssertion,
      onTrouble,
    });
    stgService.onLost((name, error) => {
      parts.log("error", `stg "${name}" is lost: ${error.message}`);
      this.runner.lose(name, toErrorRecord(error));
    });
  }

  /** Why no job can run, null while one can. */
  protected get trouble(): AgentError | null {
    return null;
  }

  /** What it runs with. */
  abstract readonly config: Config;

  /**
   * Goes on with another configuration of its role that holds what needs a restart
   * (reload_plan.ts). Jobs that run keep what they were given.
   * @throws AgentError when something that it names cannot be used; nothing changed then
   */
  abstract reconfigure(config: Config): Promise<void>;

  abstract startJob(request: JobRequest): JobView;

  status(): StatusView {
    const { clock, process } = this.parts.runtime;
    const stgs = this.stgs();
    const clients = this.lastBackups(); // First: it may find out that the catalog is damaged.
    return {
      role: this.role,
      name: this.#name,
      version: VERSION,
      ready: !this.stopping.signal.aborted && this.trouble === null,
      reasons: [
        ...(this.trouble === null ? [] : [this.trouble.message]),
        ...stgs.flatMap(({ name, reason }) => reason === null ? [] : [`stg ${name}: ${reason}`]),
      ],
      uptimeSeconds: Math.round((clock.monotonicMs() - this.#startedMs) / 1000),
      residentBytes: process.residentBytes(),
      stgs,
      jobs: this.#jobCounts(),
      schedules: this.schedules(),
      clients,
      cutBackups: this.cutBackups(),
      certificates: this.parts.certificates(),
      wal: this.walArchives(),
    };
  }

  schedules(): ScheduleView[] {
    return this.#scheduler?.views() ?? [];
  }

  /** Tells of a connection that was turned away at a port of ours, or broke there. */
  protected readonly refused = ({ code, message }: ErrorRecord, from: Address): void => {
    this.parts.log("warning", message);
    if (code !== "auth") return;
    const address = from.family === "AF_INET" ? from.address : "";
    this.parts.audit({ who: { by: "stranger", address }, action: "connect", result: message });
  };

  /** How old the newest backup of each client is; a client does not know. */
  protected lastBackups(): LastBackupView[] {
    return [];
  }

  /** Backups that were cut and can be gone on with; a client has none. */
  protected cutBackups(): CutBackupView[] {
    return [];
  }

  /** What was archived of write-ahead logs; a client has none. */
  protected walArchives(): WalStatusView[] {
    return [];
  }

  /**
   * Begins to start what the configuration schedules, once jobs can be taken; other entries take
   * the place of those before.
   * @param path file with what was run last
   */
  protected startSchedules(entries: readonly ScheduleEntry[], path: string): void {
    if (this.#scheduler !== null) this.#scheduler.replace(entries);
    if (this.#scheduler !== null || entries.length === 0) return;
    const { clock, random, files } = this.parts.runtime;
    this.#scheduler = new Scheduler(entries, {
      clock,
      random,
      files,
      path,
      log: this.parts.log,
      start: (request, schedule) => this.#startScheduled(request, schedule),
      isUnderWay: (request) => this.runner.isUnderWay(request),
      ended: (id) => this.#ended(id),
    }, this.stopping.signal);
    void this.#scheduler.run();
  }

  #startScheduled(request: JobRequest, schedule: string): JobView {
    const entry = { who: { by: "schedule", name: schedule }, action: "start a job" };
    const details = askedDetails(request);
    try {
      const job = this.startJob(request);
      this.parts.audit({ ...entry, result: "started", details: { job: job.job, ...details } });
      return job;
    } catch (error) {
      this.parts.audit({ ...entry, result: toErrorRecord(error).message, details });
      throw error;
    }
  }

  async #ended(id: string): Promise<JobView> {
    const job = this.runner.board.find(id);
    const { signal } = new AbortController(); // Every job ends, also when the daemon stops.
    for await (const { body } of job.events({ since: 0, signal })) {
      if (body.type === "summary") break;
    }
    return job.view();
  }

  #jobCounts(): StatusView["jobs"] {
    const { board, queuedCount } = this.runner;
    const running = board.unended().length - queuedCount;
    return { running, queued: queuedCount, total: board.all().length };
  }

  jobs(): JobView[] {
    return this.runner.board.all().map((job) => job.view());
  }

  job(id: string): JobView {
    return this.runner.board.find(id).view();
  }

  cancelJob(id: string): JobView {
    return this.runner.cancel(id).view();
  }

  trace(id: string): readonly TraceStep[] {
    return this.runner.board.find(id).steps();
  }

  events(id: string, options: { since: number; signal: AbortSignal }): AsyncIterable<JobEvent> {
    return this.runner.board.find(id).events(options);
  }

  stgs(): StgView[] {
    return this.stgService.views();
  }

  arrays(): ArrayView[] {
    return this.stgService.arrays();
  }

  arrayMap(uuid: string): readonly ArrayDeviceMap[] {
    return this.stgService.arrayMap(uuid);
  }

  validate(_client: string): Promise<ValidationView> {
    return Promise.reject(this.#serverOnly("validate a client"));
  }

  backups(): readonly BackupView[] {
    throw this.#serverOnly();
  }

  backup(_reference: string): BackupDetail {
    throw this.#serverOnly();
  }

  pushWal(_push: WalPush): Promise<WalPushed> {
    return Promise.reject(this.#clientOnly());
  }

  pushOwnWal(_push: WalPushOwn): Promise<WalPushedOwn> {
    return Promise.reject(this.#clientOnly());
  }

  getWal(_get: WalGet): Promise<Uint8Array | null> {
    return Promise.reject(this.#clientOnly());
  }

  pin(_reference: string, _pinned: boolean): BackupDetail {
    throw this.#serverOnly("pin a backup");
  }

  list(_reference: string, _path: string | Uint8Array | null): readonly ListedEntry[] {
    throw this.#serverOnly();
  }

  find(_glob: string): Promise<readonly FoundEntry[]> {
    return Promise.reject(this.#serverOnly("search backups"));
  }

  diff(_before: string, _after: string): Promise<readonly ChangedEntry[]> {
    return Promise.reject(this.#serverOnly("compare backups"));
  }

  /** Cancels the jobs, closes what listens, gives the host ids back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort(new AgentError("closed", "Cannot go on: the daemon is stopping"));
    await this.stopListening();
    await this.runner.stop();
    await this.#scheduler?.close();
    await this.stgService[Symbol.asyncDispose]();
    await this.layer[Symbol.asyncDispose]();
  }

  protected abstract stopListening(): Promise<void>;

  #clientOnly(): AgentError {
    const message = "Cannot take a write-ahead log here: this is a server, need the client";
    return new AgentError("usage", message, {
      hint: "Run the command on the database's host, or name its daemon with --control.",
    });
  }

  #serverOnly(action = "list backups"): AgentError {
    return new AgentError("usage", `Cannot ${action} here: this is a client, need the server`, {
      hint: "Run the command on the server, or name its daemon with --control.",
    });
  }
}

/** What the groups of a daemon need; `hostName` stands in their host tables. */
export function stgPartsOf(hostName: string, parts: DaemonParts): StgServiceParts {
  const { clock, random, files, process } = parts.runtime;
  const { openVolumes, log } = parts;
  const processes = new ProcProcessTable(files, process.pid);
  return { clock, random, hostName, openVolumes, processes, log };
}
