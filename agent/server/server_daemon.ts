// The backup server's main thread: owns the vault, listens on the well-known port for database
// jobs (Fig. 5, steps 222-226), initiates file-system jobs (Fig. 4 and 4A), runs verifications.

import {
  type Accepted,
  AgentError,
  encodeHex,
  type FlowIdentity,
  fromErrorRecord,
  type Hello,
  holdAnnouncement,
  ListeningPort,
  receiveAnnouncement,
  TOKEN_BYTES,
  withDeadline,
} from "../../transport/mod.ts";
import { normalizeSourcePaths } from "../application/mod.ts";
import type { ClientEntry, ServerConfig } from "../config/mod.ts";
import type {
  BackupDetail,
  BackupView,
  ChangedEntry,
  FoundEntry,
  JobRequest,
  JobView,
  ListedEntry,
  StatusView,
  ValidationView,
} from "../control/daemon.ts";
import { DaemonBase, stgPartsOf } from "../daemon_base.ts";
import { type DaemonParts, VERSION } from "../daemon_parts.ts";
import type { Job, ServerFilesystemTask, StgAccess } from "../job/mod.ts";
import { StgService } from "../stg/mod.ts";
import { Vault } from "../vault/mod.ts";
import { toCutView } from "./cut_backup_view.ts";
import { VALIDATION_TIMEOUT_MS } from "./limits.ts";
import { logRecovery } from "./log_recovery.ts";

type FilesystemRequest = Extract<
  JobRequest,
  { kind: "backup-filesystem" | "restore-filesystem" }
>;

export class ServerDaemon extends DaemonBase {
  readonly role = "server";
  readonly #config: ServerConfig;
  readonly #vault: Vault;
  #port: ListeningPort | null = null;

  private constructor(
    config: ServerConfig,
    parts: DaemonParts,
    owned: { vault: Vault; stgs: StgService },
  ) {
    super(config.name, parts, owned.stgs);
    this.#config = config;
    this.#vault = owned.vault;
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

  protected override get trouble(): AgentError | null {
    return this.#vault.trouble;
  }

  startJob(request: JobRequest): JobView {
    if (request.kind === "rebuild-catalog") return this.#startRebuild(request);
    this.#vault.requireSound();
    if (request.kind === "verify") return this.#startVerify(request);
    if (request.kind === "expire") return this.#startExpire(request);
    if (request.kind === "backup-filesystem" || request.kind === "restore-filesystem") {
      return this.#startFilesystem(request);
    }
    throw new AgentError(
      "usage",
      `Cannot start "${request.kind}" here: databases are backed up and restored by their client`,
      { hint: "Run the command on the database's host, against the client's daemon." },
    );
  }

  override status(): StatusView {
    return { ...super.status(), cutBackups: this.#vault.cutBackups().map(toCutView) };
  }

  override backups(): readonly BackupView[] {
    return this.#vault.backups().map(toView);
  }

  override backup(reference: string): BackupDetail {
    const { parent, paths, exclude, seconds, mediaBytes, media, skipped, ...rest } = this.#vault
      .backup(reference);
    return { ...toView(rest), parent, paths, exclude, seconds, mediaBytes, media, skipped };
  }

  override pin(reference: string, pinned: boolean): BackupDetail {
    const { backup } = this.#vault.pin(reference, pinned);
    this.parts.log("info", `backup "${backup}" is ${pinned ? "pinned" : "pinned no more"}`);
    return this.backup(backup);
  }

  override list(reference: string, path: string | null): readonly ListedEntry[] {
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
    return this.#validationOf(client, job, seconds);
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
      onRefused: (error) => this.parts.log("warning", error.message),
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
    const job = this.runner.create({
      id: hello.job,
      kind: "backup-database",
      client: client.name,
      request: null,
    });
    const stg = this.#lend(client);
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
    if (!this.runner.board.has(hello.job)) return;
    throw new AgentError("auth", `Cannot start job "${hello.job}": there is one of that name`);
  }

  #startFilesystem(request: FilesystemRequest): JobView {
    const restores = request.kind === "restore-filesystem";
    const restored = restores ? this.#vault.backup(request.backup) : null;
    if (restored !== null && restored.kind !== "filesystem") throw wrongKind(restored);
    const named = request.client ?? restored?.client ?? "";
    const client = this.#client(named);
    const action = this.#action(request, restored?.backup ?? "", client);
    const job = this.runner.create({ id: null, kind: request.kind, client: client.name, request });
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
    return job.view();
  }

  #action(
    request: FilesystemRequest,
    restored: string,
    client: ClientEntry,
  ): ServerFilesystemTask["action"] {
    if (request.kind === "restore-filesystem") {
      const { target, include, overwrite } = request;
      return { type: "restore", backup: restored, target, include, overwrite };
    }
    this.#vault.giveUpCuts();
    const { exclude, full } = request;
    // The paths as the client walks them: they name the source.
    const paths = normalizeSourcePaths(request.paths);
    const backup = this.#vault.newBackupId(client.name);
    return { type: "backup", backup, paths, exclude, full };
  }

  #startVerify(request: Extract<JobRequest, { kind: "verify" }>): JobView {
    const backups = request.backups.map((reference) => this.#vault.backup(reference).backup);
    const job = this.runner.create({ id: null, kind: "verify", client: null, request });
    const name = this.#config.name;
    this.runner.run(job, {
      kind: "server-verify",
      identity: { name, job: job.start.id, token: this.#newToken(), connections: 1 },
      steps: [],
      vault: this.#config.vault,
      backups,
      data: request.data,
      subset: request.subset,
    }, () => Promise.resolve());
    return job.view();
  }

  #startRebuild(request: JobRequest): JobView {
    const running = this.runner.board.running();
    if (running.length > 0) {
      throw new AgentError(
        "busy",
        `Cannot rebuild the catalog: ${running.length} jobs run, need none`,
        { hint: "Wait for their end, or cancel them." },
      );
    }
    const job = this.runner.create({
      id: null,
      kind: "rebuild-catalog",
      client: null,
      request,
    });
    const { id } = job.start;
    this.#vault.giveUpCatalog(() => this.runner.board.running().some((one) => one.start.id === id));
    const identity = {
      name: this.#config.name,
      job: id,
      token: this.#newToken(),
      connections: 1,
    } as const;
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

  #startExpire(request: Extract<JobRequest, { kind: "expire" }>): JobView {
    if (!request.dryRun) this.#vault.giveUpCuts();
    const job = this.runner.create({ id: null, kind: "expire", client: null, request });
    const { name, vault, retention } = this.#config;
    this.runner.run(job, {
      kind: "server-expire",
      identity: { name, job: job.start.id, token: this.#newToken(), connections: 1 },
      steps: [],
      vault,
      retention,
      dryRun: request.dryRun,
    }, () => Promise.resolve());
    return job.view();
  }

  #validationOf(client: ClientEntry, job: Job, seconds: number): ValidationView {
    const { name, channel: policy } = client;
    const { validation } = job;
    if (validation === null) {
      const error = job.view().error;
      throw error === null
        ? new AgentError("failed", `Cannot validate client "${name}": found no result, need one`)
        : fromErrorRecord(error);
    }
    const { channels, clientVersion } = validation;
    const wanted = channels.filter(({ channel }) =>
      channel === "network" || policy !== "network-only"
    );
    const ok = wanted.every((channel) => channel.usable);
    const found = channels.map(({ channel, usable, detail }) =>
      `${channel} ${usable ? "YES" : "NO"} (${detail})`
    );
    this.parts.log(ok ? "info" : "warning", `validated client "${name}": ${found.join(", ")}`);
    return { client: name, policy, ok, version: VERSION, clientVersion, seconds, channels };
  }

  #lend(client: ClientEntry): StgAccess {
    if (client.stg === null) {
      return { unusable: "down", detail: "this client has no storage transport group" };
    }
    return this.stgService.lend(client.stg);
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
    const known = this.#config.clients.map((client) => client.name).join(", ");
    throw new AgentError(
      "not_found",
      `Cannot find client "${name}": the configuration has ${known || "no clients"}`,
      { hint: "Add it under `clients:` in the server's configuration." },
    );
  }
}

/** The part of a catalog entry that listings show. */
function toView(backup: BackupView): BackupView {
  const { client, kind, database, time, level, status, pinned } = backup;
  const { files, bytes, channels, fallback } = backup;
  const kept = { client, kind, database, time, level, status, pinned };
  return { backup: backup.backup, ...kept, files, bytes, channels, fallback };
}

function wrongKind(backup: BackupView): AgentError {
  return new AgentError(
    "usage",
    `Cannot restore "${backup.backup}" as files: it holds database "${backup.database}" of ` +
      `"${backup.client}"`,
    {
      hint: `Run on "${backup.client}" \`agent restore ${backup.backup} --database ` +
        `${backup.database}\`.`,
    },
  );
}
