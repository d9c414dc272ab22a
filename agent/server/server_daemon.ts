// The backup server's main thread: owns the vault, listens on the well-known port for database
// jobs (Fig. 5, steps 222-226), initiates file-system jobs (Fig. 4 and 4A), runs verifications.

import {
  type Accepted,
  AgentError,
  assert,
  encodeHex,
  type FlowIdentity,
  type Hello,
  holdAnnouncement,
  ListeningPort,
  receiveAnnouncement,
  TOKEN_BYTES,
  withDeadline,
} from "../../transport/mod.ts";
import { compileRules, normalizeSourcePaths } from "../application/mod.ts";
import type { ClientEntry, Config, ServerConfig } from "../config/mod.ts";
import type {
  BackupDetail,
  BackupView,
  ChangedEntry,
  CutBackupView,
  FoundEntry,
  JobRequest,
  JobView,
  ListedEntry,
  ValidationView,
} from "../control/daemon.ts";
import type { LastBackupView } from "../control/schedule_view.ts";
import type { WalStatusView } from "../control/wal_report_view.ts";
import { DaemonBase, stgPartsOf } from "../daemon_base.ts";
import type { DaemonParts } from "../daemon_parts.ts";
import {
  type Job,
  type ServerFilesystemTask,
  sourceOfRequest,
  type StgAccess,
} from "../job/mod.ts";
import { joinSelections } from "../source_selection.ts";
import { StgService } from "../stg/mod.ts";
import { Vault } from "../vault/mod.ts";
import { backupView } from "./backup_view.ts";
import { cutBackupViews } from "./cut_backup_view.ts";
import { lastBackupViews } from "./last_backups.ts";
import { VALIDATION_TIMEOUT_MS } from "./limits.ts";
import { rebuildWaits, unknownClient, wrongKind } from "./refusals.ts";
import { requireAllowed } from "./require_allowed.ts";
import { validationLine, validationView } from "./validation_view.ts";
import { logRecovery } from "./log_recovery.ts";
import { WalWatch } from "./wal_watch.ts";
import { isVaultRequest, namedBackups, type VaultRequest, vaultTask } from "./vault_task.ts";

type FilesystemRequest = Extract<
  JobRequest,
  { kind: "backup-filesystem" | "restore-filesystem" }
>;

export class ServerDaemon extends DaemonBase {
  readonly role = "server";
  #config: ServerConfig;
  readonly #vault: Vault;
  readonly #wal: WalWatch;
  #port: ListeningPort | null = null;

  private constructor(
    config: ServerConfig,
    parts: DaemonParts,
    owned: { vault: Vault; stgs: StgService },
  ) {
    super(config, parts, owned.stgs);
    this.#config = config;
    this.#vault = owned.vault;
    const { files, clock } = parts.runtime;
    this.#wal = new WalWatch({ files, directory: config.vault }, clock, this.stopping.signal);
  }

  /** @throws AgentError `busy` (vault or host id) | `port_in_use` | `no_space` | `failed` */
  static async start(config: ServerConfig, parts: DaemonParts): Promise<ServerDaemon> {
    const { files, clock, random } = parts.runtime;
    const vault = Vault.open({ directory: config.vault, files, clock, random });
    logRecovery(vault.recovery, parts.log);
    try {
      const stgs = await StgService.open(stgPartsOf(config.name, parts), config.stgs);
      const daemon = new ServerDaemon(config, parts, { vault, stgs });
      try {
        await daemon.#listen();
        daemon.#startSchedules();
      } catch (error) {
        await daemon[Symbol.asyncDispose]();
        throw error;
      }
      return daemon;
    } catch (error) {
      vault.close();
      throw error;
    }
  }

  get config(): ServerConfig {
    return this.#config;
  }

  reconfigure(config: Config): Promise<void> {
    assert(config.role === "server", "a reload keeps the role");
    this.#config = config;
    this.runner.setLimits(config.jobs);
    this.#startSchedules();
    return Promise.resolve();
  }

  #startSchedules(): void {
    this.startSchedules(this.#config.schedules, `${this.#config.vault}/schedules.json`);
  }

  protected override get trouble(): AgentError | null {
    return this.#vault.trouble;
  }

  startJob(request: JobRequest): JobView {
    if (request.kind === "rebuild-catalog") return this.#startRebuild(request);
    this.#vault.requireSound();
    if (isVaultRequest(request)) return this.#startOnVault(request);
    if (request.kind === "backup-filesystem" || request.kind === "restore-filesystem") {
      return this.#startFilesystem(request);
    }
    throw new AgentError(
      "usage",
      `Cannot start "${request.kind}" here: databases are backed up and restored by their client`,
      { hint: "Run the command on the database's host, against the client's daemon." },
    );
  }

  protected override lastBackups(): LastBackupView[] {
    const clients = this.#config.clients.map(({ name }) => name);
    const nowMs = this.parts.runtime.clock.wallMs();
    return this.#ifSound(() => lastBackupViews(this.#vault.lastBackups(), { clients, nowMs }));
  }

  protected override cutBackups(): CutBackupView[] {
    return this.#ifSound(() => cutBackupViews(this.#vault.cutBackups()));
  }

  protected override walArchives(): WalStatusView[] {
    return this.#wal.views();
  }

  /** Nothing when the vault is in trouble: its own says why. */
  #ifSound<T>(views: () => T[]): T[] {
    try {
      return views();
    } catch (error) {
      if (error instanceof AgentError) return [];
      throw error;
    }
  }
  override backups(): readonly BackupView[] {
    return this.#vault.backups().map(backupView);
  }

  override backup(reference: string): BackupDetail {
    const { parent, seconds, mediaBytes, media, skipped, ...rest } = this.#vault.backup(reference);
    return { ...backupView(rest), parent, seconds, mediaBytes, media, skipped };
  }

  override pin(reference: string, pinned: boolean): BackupDetail {
    const { backup } = this.#vault.pin(reference, pinned);
    this.parts.log("info", `backup "${backup}" is ${pinned ? "pinned" : "pinned no more"}`);
    return this.backup(backup);
  }

  override list(reference: string, path: string | Uint8Array | null): readonly ListedEntry[] {
    return this.#vault.list(reference, path);
  }

  override find(glob: string): Promise<readonly FoundEntry[]> {
    return this.#collect(this.#vault.find(glob));
  }

  override diff(before: string, after: string): Promise<readonly ChangedEntry[]> {
    return this.#collect(this.#vault.diff(before, after));
  }

  override async validate(name: string): Promise<ValidationView> {
    const client = this.#client(name);
    const { clock } = this.parts.runtime;
    const startMs = clock.monotonicMs();
    const job = this.runner.create({ id: null, kind: "validate", client: name, request: null });
    const stg = this.#lend(client);
    const thread = this.runner.run(job, {
      kind: "server-validate",
      identity: this.#identity(client, job),
      steps: [],
      client,
      stg,
    }, () => this.stgService.release(stg));
    const action = `validate client "${name}"`;
    try {
      const inTime = { timeoutMs: VALIDATION_TIMEOUT_MS, action };
      await withDeadline(clock, inTime, () => thread.ended);
    } catch (error) {
      thread.cancel();
      throw error;
    }
    const seconds = Math.round(clock.monotonicMs() - startMs) / 1000;
    const view = validationView(client, job, seconds);
    this.parts.log(...validationLine(view));
    return view;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#vault.close();
  }

  protected override async stopListening(): Promise<void> {
    await this.#port?.[Symbol.asyncDispose]();
  }

  async #listen(): Promise<void> {
    const { listen, port } = this.#config.network;
    this.#port = await ListeningPort.open({
      layer: this.layer,
      clock: this.parts.runtime.clock,
      address: { family: "AF_INET", address: listen, port },
      steps: { figure: "5", side: "server", socket: "", bind: "", listen: "", accept: "222" },
      onAccepted: (accepted) => this.#enter(accepted),
      onRefused: this.refused,
    });
  }

  /** Steps 222 to 226 of a database job, then its worker goes on. */
  async #enter(accepted: Accepted): Promise<void> {
    const options = {
      layer: this.layer,
      clock: this.parts.runtime.clock,
      name: this.#config.name,
      signal: this.stopping.signal,
    };
    const { hello, port, steps } = await receiveAnnouncement(
      accepted,
      options,
      (hello) => this.#admit(hello),
    );
    const client = this.#client(hello.name);
    this.parts.audit({
      who: { by: "peer", name: client.name },
      action: "database job",
      result: "admitted",
      details: { job: hello.job },
    });
    const job = this.runner.create({
      id: hello.job,
      kind: "backup-database",
      client: client.name,
      request: null,
    });
    const stg = this.#lend(client, hello.streams);
    const identity = { ...this.#identity(client, job), token: hello.token };
    const { ended } = this.runner.run(job, {
      kind: "server-database",
      identity,
      steps,
      client,
      stg,
      vault: this.#config.vault,
      address: { family: "AF_INET", address: client.address, port },
      newBackup: this.#vault.newBackupId(client.name),
    }, () => this.stgService.release(stg));
    await holdAnnouncement(accepted, options, ended);
  }

  #admit(hello: Hello): void {
    this.#vault.requireSound();
    this.#client(hello.name);
    this.runner.requirePeerRoom(this.#config.jobs.maxRunning);
    if (!this.runner.board.has(hello.job)) return;
    throw new AgentError("auth", `Cannot start job "${hello.job}": there is one of that name`);
  }

  #startFilesystem(request: FilesystemRequest): JobView {
    const restores = request.kind === "restore-filesystem";
    const restored = restores ? this.#vault.backup(request.backup) : null;
    if (restored !== null && restored.kind !== "filesystem") throw wrongKind(restored);
    const named = request.client ?? restored?.client ?? "";
    const client = this.#client(named);
    requireAllowed(client, request);
    const begin = (job: Job) => {
      const action = this.#action(request, restored?.backup ?? "", client);
      const stg: StgAccess = this.#lend(client);
      this.runner.run(job, {
        kind: "server-filesystem",
        identity: this.#identity(client, job),
        steps: [],
        client,
        stg,
        vault: this.#config.vault,
        action,
      }, () => this.stgService.release(stg));
    };
    return this.#submit(request, client.name, begin);
  }

  /** Lets a job wait for its turn; the catalog must be sound still when that comes. */
  #submit(request: JobRequest, client: string | null, begin: (job: Job) => void): JobView {
    const start = { id: null, kind: request.kind, client, request };
    return this.runner.submit(start, {
      source: sourceOfRequest(request),
      begin: (job) => {
        this.#vault.requireSound();
        begin(job);
      },
    }).view();
  }

  #action(
    request: FilesystemRequest,
    restored: string,
    client: ClientEntry,
  ): ServerFilesystemTask["action"] {
    if (request.kind === "restore-filesystem") {
      const { target, include, overwrite, dryRun } = request;
      return { type: "restore", backup: restored, target, include, overwrite, dryRun };
    }
    const selection = joinSelections(client.selection, request);
    // A rule that cannot be is refused before the client is bothered.
    compileRules(selection.exclude);
    this.#vault.giveUpCuts();
    // The paths as the client walks them: they name the source.
    const paths = normalizeSourcePaths(request.paths);
    const backup = this.#vault.newBackupId(client.name);
    return { type: "backup", backup, paths, full: request.full, ...selection };
  }

  #startOnVault(request: VaultRequest): JobView {
    if (request.kind === "expire" && !request.dryRun) this.#vault.giveUpCuts();
    const backups = namedBackups(request).map((name) => this.#vault.backup(name));
    const client = request.kind === "drill" ? backups[0]?.client ?? null : null;
    const named = backups.map(({ backup }) => backup);
    return this.#submit(request, client, (job) => {
      const task = vaultTask(request, named, { config: this.#config, identity: this.#alone(job) });
      this.runner.run(job, task, () => Promise.resolve());
    });
  }

  /** The identity of a job that concerns this host alone. */
  #alone(job: Job): FlowIdentity {
    const { name } = this.#config;
    return { name, job: job.start.id, token: this.#newToken(), connections: 1 };
  }

  #startRebuild(request: JobRequest): JobView {
    const unended = this.runner.board.unended().filter((job) => !job.isStanding);
    if (unended.length > 0) throw rebuildWaits(unended.length);
    const kind = "rebuild-catalog";
    const job = this.runner.create({ id: null, kind, client: null, request });
    const { id } = job.start;
    this.#vault.giveUpCatalog(() => this.runner.board.unended().some((one) => one.start.id === id));
    const identity = this.#alone(job);
    const { vault } = this.#config;
    const task = { kind: "server-rebuild", identity, steps: [], vault } as const;
    this.runner.run(job, task, () => Promise.resolve());
    return job.view();
  }

  /** All that a search yields; other work goes on in between. */
  async #collect<T>(search: Generator<T | null>): Promise<T[]> {
    const found: T[] = [];
    for (const one of search) {
      if (one !== null) found.push(one);
      else await this.parts.runtime.clock.yield();
    }
    return found;
  }

  #lend(client: ClientEntry, streams = 1): StgAccess {
    if (client.stg === null) {
      return { unusable: "down", detail: "this client has no storage transport group" };
    }
    return this.stgService.lend(client.stg, streams);
  }

  #identity(client: ClientEntry, job: Job): FlowIdentity {
    const { connections } = client;
    return { name: this.#config.name, job: job.start.id, token: this.#newToken(), connections };
  }

  #newToken(): string {
    return encodeHex(this.parts.runtime.random.bytes(TOKEN_BYTES));
  }

  #client(name: string): ClientEntry {
    const client = this.#config.clients.find((client) => client.name === name);
    if (client !== undefined) return client;
    throw unknownClient(name, this.#config.clients);
  }
}
