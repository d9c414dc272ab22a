// The client's main thread: listens on its well-known port (Fig. 4) and the next one (Fig. 4A) for
// the server's file-system jobs, and initiates database jobs (Fig. 5).
//
// The first connection of a job and its storage set-up come in on two ports in any order; whoever
// comes first waits for the other here, so that a job's worker is only started for a peer that
// completed Fig. 4.

import {
  type Accepted,
  AgentError,
  assert,
  encodeHex,
  FileSystemDoor,
  type FileSystemSession,
  type FlowStep,
  ListeningPort,
  receiveStorageSetup,
  REJOIN_VERSION,
  type StorageSetup,
  TOKEN_BYTES,
} from "../../transport/mod.ts";
import { type ClientConfig, type Config, type DatabaseEntry, streamsOf } from "../config/mod.ts";
import type { JobRequest, JobView } from "../control/daemon.ts";
import type { WalGet, WalPush, WalPushed, WalPushedOwn, WalPushOwn } from "../control/wal_view.ts";
import { DaemonBase, stgPartsOf } from "../daemon_base.ts";
import type { DaemonParts } from "../daemon_parts.ts";
import {
  type ClientDatabaseTask,
  type EncryptionPart,
  type Job,
  type JobThread,
  type OwnFile,
  PEER_JOBS_MAX,
  sourceOfRequest,
  type StgAccess,
} from "../job/mod.ts";
import { readSystemIdentifier } from "../postgresql/mod.ts";
import { readRecipients } from "../encryption/mod.ts";
import { StgService } from "../stg/mod.ts";
import { RejoinRoom } from "./rejoin_room.ts";
import { SetupRoom } from "./setup_room.ts";
import { clearSpool } from "./spool_file.ts";
import { requireCluster, requireFile, systemOfFile, walCommandOf } from "./wal_request.ts";
import { WalDesk } from "./wal_desk.ts";

export class ClientDaemon extends DaemonBase {
  readonly role = "client";
  #config: ClientConfig;
  #encryption: EncryptionPart;
  readonly #setups: SetupRoom;
  readonly #rejoins = new RejoinRoom();
  readonly #ports: ListeningPort[] = [];
  readonly #wal: WalDesk;

  private constructor(
    config: ClientConfig,
    parts: DaemonParts,
    owned: { readonly stgs: StgService; readonly encryption: EncryptionPart },
  ) {
    super(config, parts, owned.stgs);
    this.#config = config;
    this.#encryption = owned.encryption;
    this.#setups = new SetupRoom(parts.runtime.clock, (setup) => {
      this.layer.abort(setup.descriptor, "its job did not come");
    });
    const { clock } = parts.runtime;
    this.#wal = new WalDesk({ clock, start: (database) => this.#startArchive(database) });
  }

  /** @throws AgentError `busy` (host id) | `port_in_use` | `usage` | `failed` */
  static async start(config: ClientConfig, parts: DaemonParts): Promise<ClientDaemon> {
    const encryption = await encryptionOf(config, parts);
    const stgs = await StgService.open(stgPartsOf(config.name, parts), config.stgs);
    const daemon = new ClientDaemon(config, parts, { stgs, encryption });
    try {
      daemon.#clearSpool();
      await daemon.#listen();
      daemon.#startSchedules();
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
    return daemon;
  }

  get config(): ClientConfig {
    return this.#config;
  }

  async reconfigure(config: Config): Promise<void> {
    assert(config.role === "client", "a reload keeps the role");
    const encryption = await encryptionOf(config, this.parts);
    const before = JSON.stringify([this.#encryption, this.#config.databases]);
    if (JSON.stringify([encryption, config.databases]) !== before) this.#wal.renew();
    this.#encryption = encryption;
    this.#config = config;
    this.runner.setLimits(config.jobs);
    this.#startSchedules();
  }

  #startSchedules(): void {
    const { schedules, state, name } = this.#config;
    this.startSchedules(schedules, `${state}/${name}.schedules.json`);
  }

  startJob(request: JobRequest): JobView {
    if (request.kind === "backup-database") {
      return this.#startDatabase(request, request.database, { type: "backup" });
    }
    if (request.kind === "restore-database") {
      const { backup, target, tablespaces, recovery } = request;
      if (recovery !== null) this.#requireRecovery(request.database);
      const action = { type: "restore", backup, target, tablespaces, recovery } as const;
      return this.#startDatabase(request, request.database, action);
    }
    throw new AgentError(
      "usage",
      `Cannot start "${request.kind}" here: this is a client, need the server's daemon`,
      { hint: "Run the command on the server, or name its daemon with --control." },
    );
  }

  override async pushWal({ database, name, system, bytes }: WalPush): Promise<WalPushed> {
    const { known } = this.#ownLog(database, name);
    const of = systemOfFile({ name, bytes, system, known });
    const answer = await this.#wal.ask(database, { type: "push", system: of, name, bytes });
    if (answer.type === "stored" || answer.type === "same") return { outcome: answer.type };
    throw new AgentError("reset", `Cannot archive "${name}": found another answer`);
  }

  override async pushOwnWal({ database, ...file }: WalPushOwn): Promise<WalPushedOwn> {
    const own = this.#ownLog(database, file.name);
    const answer = await this.#wal.ask(database, { type: "push-own", ...own, ...file });
    if (answer.type === "file" || answer.type === "absent") {
      throw new AgentError("reset", `Cannot archive "${file.name}": found another answer`);
    }
    return { outcome: answer.type };
  }

  /** Where a cluster has its log, and which it is. @throws AgentError `usage` | `not_found` */
  #ownLog(database: string, name: string): Pick<OwnFile, "directory" | "known"> {
    requireFile(name);
    const { data } = requireCluster(this.#database(database));
    const known = readSystemIdentifier(this.parts.runtime.files, data);
    return { directory: `${data}/pg_wal`, known };
  }

  override async getWal({ database, name, system }: WalGet): Promise<Uint8Array | null> {
    requireCluster(this.#database(database));
    const answer = await this.#wal.ask(database, { type: "get", system, name });
    if (answer.type === "file") return answer.frame;
    if (answer.type === "absent") return null;
    throw new AgentError("reset", `Cannot fetch "${name}": found another answer`);
  }

  protected override async stopListening(): Promise<void> {
    for (const port of this.#ports) await port[Symbol.asyncDispose]();
    this.#setups.clear();
  }

  async #listen(): Promise<void> {
    const { listen, port } = this.#config.network;
    const { clock } = this.parts.runtime;
    const door = new FileSystemDoor({
      layer: this.layer,
      clock,
      name: this.#config.name,
      connections: this.#config.server.connections,
      signal: this.stopping.signal,
      admit: (hello, peerName) => {
        if (hello.connection > 1) this.#rejoins.admit(hello, peerName);
        else this.runner.requirePeerRoom(PEER_JOBS_MAX);
      },
      onSession: (session) => this.#enterFilesystem(session),
    });
    const common = { layer: this.layer, clock, onRefused: this.refused };
    this.#ports.push(
      await ListeningPort.open({
        ...common,
        address: { family: "AF_INET", address: listen, port },
        steps: { figure: "4", side: "client", ...FIG4_STEPS },
        onAccepted: (accepted) => door.enter(accepted),
      }),
    );
    this.#ports.push(
      await ListeningPort.open({
        ...common,
        address: { family: "AF_INET", address: listen, port: port + 1 },
        steps: { figure: "4A", side: "client", ...FIG4A_STEPS },
        onAccepted: (accepted) => this.#enterStorage(accepted),
      }),
    );
  }

  #enterFilesystem(session: FileSystemSession): void {
    const { peerName } = this.layer.conn(session.control);
    if (session.hello.connection > 1) this.#rejoins.bring(session, peerName);
    else this.#startFilesystem(session, peerName);
  }

  #startFilesystem(session: FileSystemSession, peerName: string | undefined): void {
    const { hello } = session;
    this.parts.audit({
      who: { by: "peer", name: hello.name, ...(peerName === undefined ? {} : { peerName }) },
      action: "file job",
      result: "admitted",
      details: { job: hello.job },
    });
    const job = this.runner.create({
      id: hello.job,
      kind: "backup-filesystem",
      client: this.#config.name,
      request: null,
    });
    const stgs = this.stgService.lendAll();
    const thread = this.runner.run(job, {
      kind: "client-filesystem",
      identity: this.#identity(hello.job, hello.token),
      steps: session.steps,
      mayRejoin: session.version >= REJOIN_VERSION,
      stgs,
      compressionLevel: this.#config.compression.level,
      hooks: this.#config.hooks,
      encryption: this.#encryption,
      allow: this.#config.allow,
    }, async () => {
      this.#setups.leave(hello);
      this.#rejoins.leave(hello);
      await this.#releaseAll(stgs);
    });
    this.#relayNetwork(thread, session, []);
    this.#setups.enter(hello, (setup) => this.#relaySetup(thread, setup));
    const handler = (again: FileSystemSession) => this.#relayNetwork(thread, again, again.steps);
    this.#rejoins.enter(session, { peerName, handler });
  }

  #relayNetwork(
    thread: JobThread,
    { control, errors }: FileSystemSession,
    steps: readonly FlowStep[],
  ): void {
    this.#relay(thread, control, { role: "control", setup: null, steps });
    if (errors !== null) this.#relay(thread, errors, { role: "errors", setup: null });
  }

  async #enterStorage(accepted: Accepted): Promise<void> {
    const setup = await receiveStorageSetup(accepted, {
      layer: this.layer,
      clock: this.parts.runtime.clock,
      signal: this.stopping.signal,
    });
    this.#setups.bring(setup);
  }

  #relaySetup(thread: JobThread, setup: StorageSetup): void {
    const { message, steps } = setup;
    this.#relay(thread, setup.descriptor, { role: "storage-setup", setup: { message, steps } });
  }

  /** The worker ends the connection; its descriptor here ends with the job. */
  #relay(
    thread: JobThread,
    descriptor: number,
    details: Parameters<JobThread["relay"]>[1],
  ): void {
    thread.relay(this.layer.conn(descriptor), details);
    void thread.ended.then(() => this.layer.close(descriptor));
  }

  #startDatabase(
    request: JobRequest,
    name: string,
    action: ClientDatabaseTask["action"],
  ): JobView {
    const database = this.#database(name);
    const start = { id: null, kind: request.kind, client: this.#config.name, request };
    const begin = (job: Job) => {
      this.#runDatabase(job, database, action);
    };
    return this.runner.submit(start, { source: sourceOfRequest(request), begin }).view();
  }

  /** @throws AgentError `usage` when the restored server could not fetch its log */
  #requireRecovery(name: string): void {
    const { user } = requireCluster(this.#database(name));
    const { walSocket } = this.#config;
    if (walSocket !== null || this.parts.runtime.process.user.uid !== 0) return;
    const message = `Cannot recover "${name}" by its log: found no wal_socket, need one that ` +
      `"${user}" may use`;
    throw new AgentError("usage", message, {
      hint: "Add `wal_socket: { path: run/wal.sock }` to the configuration, and start again.",
    });
  }

  /** The job that carries the log of a database, for as long as it stands. */
  #startArchive(name: string): JobThread {
    const client = this.#config.name;
    const job = this.runner.create({ id: null, kind: "archive-wal", client, request: null });
    return this.#runDatabase(job, this.#database(name), { type: "archive-wal" });
  }

  #runDatabase(
    job: Job,
    database: DatabaseEntry,
    action: ClientDatabaseTask["action"],
  ): JobThread {
    const { server, network, spool, compression, hooks, walSocket, control, allow } = this.#config;
    const streams = action.type === "archive-wal" ? 1 : streamsOf(database);
    const stgs = this.stgService.lendAll(streams);
    const token = encodeHex(this.parts.runtime.random.bytes(TOKEN_BYTES));
    return this.runner.run(job, {
      kind: "client-database",
      identity: { ...this.#identity(job.start.id, token), streams },
      steps: [],
      stgs,
      compressionLevel: compression.level,
      encryption: this.#encryption,
      allow,
      hooks,
      server: { family: "AF_INET", address: server.address, port: server.port },
      listen: { family: "AF_INET", address: network.listen, port: 0 },
      spool,
      database,
      action,
      walCommand: walCommandOf(this.parts.command, database.name, { walSocket, control }),
    }, () => this.#releaseAll(stgs).finally(() => this.#clearSpool({ job: job.start.id })));
  }

  /** @param ended the job whose remains go; without it those of earlier processes */
  #clearSpool(ended?: { readonly job: string }): void {
    const { spool: directory, name: client } = this.#config;
    const left = clearSpool(this.parts.runtime.files, { directory, client, ...ended });
    if (left.length === 0) return;
    this.parts.log("warning", `cannot remove old snapshots: ${left.join(", ")}`);
  }

  async #releaseAll(stgs: Readonly<Record<string, StgAccess>>): Promise<void> {
    for (const access of Object.values(stgs)) await this.stgService.release(access);
  }

  #identity(job: string, token: string) {
    return { name: this.#config.name, job, token, connections: this.#config.server.connections };
  }

  #database(name: string): DatabaseEntry {
    const found = this.#config.databases.find((database) => database.name === name);
    if (found !== undefined) return found;
    const known = this.#config.databases.map((database) => database.name).join(", ");
    throw new AgentError(
      "not_found",
      `Cannot find database "${name}": the configuration has ${known || "no databases"}`,
      { hint: "Add it under `databases:` in this client's configuration." },
    );
  }
}

async function encryptionOf(
  { encryption }: ClientConfig,
  { runtime }: DaemonParts,
): Promise<EncryptionPart> {
  const recipients = await readRecipients(runtime.files, encryption);
  return { recipients, identityFile: encryption.identityFile };
}

const FIG4_STEPS = { socket: "112", bind: "114", listen: "116", accept: "118" } as const;
const FIG4A_STEPS = { socket: "152", bind: "154", listen: "156", accept: "158" } as const;
