// A server's and a client's file-system job in one thread: their real code from the flows to the
// vault and the restored files, TCP over the loopback, STP over volumes in memory whose paths a
// test can cut. What daemons do around their workers is done here by hand.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEntry } from "../../agent/audit_log.ts";
import { runClientFilesystem } from "../../agent/client/mod.ts";
import { RejoinRoom } from "../../agent/client/rejoin_room.ts";
import { SetupRoom } from "../../agent/client/setup_room.ts";
import type { JobEventBody } from "../../agent/control/mod.ts";
import type { ClientEntry, HooksConfig } from "../../agent/config/mod.ts";
import {
  type ClientFilesystemTask,
  type EncryptionPart,
  type FromWorker,
  type Prove,
  type ServerFilesystemTask,
  type StgAccess,
  type WalAnswer,
  type WorkerResult,
  WorkerSession,
  type WorkerTask,
} from "../../agent/job/mod.ts";
import type { RelayedConnection } from "../../agent/job/worker_protocol.ts";
import { runServerFilesystem } from "../../agent/server/mod.ts";
import { Vault } from "../../agent/vault/mod.ts";
import { ConnectLayer, type Mechanism } from "../../transport/connect/mod.ts";
import {
  type Accepted,
  type Fallback,
  FileSystemDoor,
  type FileSystemSession,
  type FlowStep,
  ListeningPort,
  receiveStorageSetup,
  type StorageSetup,
} from "../../transport/flow/mod.ts";
import type { Clock, Network } from "../../transport/runtime/runtime.ts";
import { serveRelay } from "../../transport/relay/mod.ts";
import { proveMedium, stpTiming } from "../../transport/stp/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { FIG4, FIG4A, IDENTITY, inet, runtime } from "../unit/transport/flow/flow_bed.ts";
import {
  type MemoryBed,
  openMemoryBed,
  SHORT,
  type StpBed,
} from "../unit/transport/stp/stp_bed.ts";
import { type Confinement, UNCONFINED } from "../../agent/confinement.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

/** One thread has both hosts, their data and their heartbeats: it may stand still for a moment. */
export const TIMING = { ...SHORT, heartbeatMs: 250, watchMs: 200, deadMs: 6000 };

/** How one side's job ended. */
export interface JobOutcome {
  readonly result: WorkerResult | null;
  readonly error: Error | null;
  readonly fallback: Fallback | null;
  readonly channels: { readonly network: number; readonly storage: number };
  /** What it said of cuts of its network. */
  readonly network: readonly string[];
  /** What it told for the audit log. */
  readonly audit: readonly Omit<AuditEntry, "who">[];
  readonly steps: readonly FlowStep[];
  /** What it reported: progress, warnings, parts of a dry run. */
  readonly reports: readonly JobEventBody[];
  /** Code, and path or message. */
  readonly warnings: readonly string[];
}

export interface JobBedOptions {
  readonly channel?: ClientEntry["channel"];
  readonly volumeCount?: number;
  readonly hooks?: HooksConfig;
  /** The client's medium proof; the server's is the real one. */
  readonly clientProof?: Prove;
}

/** @template Storage the group of the two hosts: on volumes in memory, or whatever a test brings */
export class JobBed<Storage extends StpBed = MemoryBed> implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "agent-job-"));
  /** The hosts' place in the group; another one when they joined again. */
  stp: Storage;
  /** The network from the server to the client. */
  network: Network = runtime.network;
  /** Keys of the client. */
  encryption: EncryptionPart = { recipients: [], identityFile: null };
  readonly #options: JobBedOptions;
  #sessions: readonly WorkerSession[] = [];

  /** @param stp closed with the bed */
  constructor(stp: Storage, options: JobBedOptions = {}) {
    this.stp = stp;
    this.#options = options;
    Vault.open({ directory: this.path("vault"), ...runtime }).close();
  }

  static async open(options: JobBedOptions = {}): Promise<JobBed> {
    const { clock, random } = runtime;
    const { volumeCount = 1 } = options;
    const stp = await openMemoryBed({ clock, random, timing: TIMING, volumeCount });
    return new JobBed(stp, options);
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** A file of bytes that do not compress. */
  writeFile(name: string, bytes: number): void {
    const content = new Uint8Array(bytes);
    const slice = 65536;
    for (let at = 0; at < bytes; at += slice) {
      crypto.getRandomValues(content.subarray(at, Math.min(at + slice, bytes)));
    }
    writeFileSync(this.path(name), content);
  }

  /** Cancels the job that runs, as that side's daemon does. */
  cancel(side: "server" | "client"): void {
    this.#sessions[side === "server" ? 0 : 1]?.cancel();
  }

  /** Which hosts need the storage connection encrypted: the server, the client. */
  encrypt: readonly [boolean, boolean] = [false, false];

  /** What the client's own file allows its server. */
  allow: Confinement = UNCONFINED;

  /** Runs one job on both sides. */
  async run(action: ServerFilesystemTask["action"]): Promise<readonly [JobOutcome, JobOutcome]> {
    await using ports = await ClientPorts.open();
    const client: ClientEntry = {
      name: "web01",
      address: "127.0.0.1",
      port: ports.port,
      stg: "stg0",
      channel: this.#options.channel ?? "prefer-storage",
      waitMs: 0,
      connections: 2,
      selection: EVERYTHING,
      fullEvery: null,
      allow: UNCONFINED,
    };
    const server = this.#session(0, {
      kind: "server-filesystem",
      identity: IDENTITY,
      steps: [],
      client,
      stg: this.#access(0),
      vault: this.path("vault"),
      action,
    });
    const task: ClientFilesystemTask = {
      kind: "client-filesystem",
      identity: { ...IDENTITY, name: "web01" },
      steps: [],
      mayRejoin: true,
      stgs: { stg0: this.#access(1) },
      compressionLevel: 1,
      hooks: this.#options.hooks ?? { pre: null, post: null },
      encryption: this.encryption,
      allow: this.allow,
    };
    const far = this.#session(1, task);
    ports.serve(far.session);
    this.#sessions = [server.session, far.session];
    return await Promise.all([
      server.end(() => runServerFilesystem(server.session, server.task, proveMedium)),
      far.end(() =>
        runClientFilesystem(far.session, task, this.#options.clientProof ?? proveMedium)
      ),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stp.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A group that is lent out; the session gets its mechanism ready-made. */
  #access(host: 0 | 1): StgAccess {
    const { identity, hosts } = this.stp;
    const lease = { leaseId: 0, endpoints: [], ports: [] };
    const source = { kind: "raw", paths: [], timeoutMs: 30_000 } as const;
    const timing = stpTiming(TIMING);
    const { claim } = hosts[host].member;
    const encrypt = this.encrypt[host];
    return { part: { name: "stg0", source, identity, claim, lease, timing, encrypt } };
  }

  #session<T extends WorkerTask>(host: 0 | 1, task: T): RunningJob<T> {
    const network = new TcpMechanism(this.network);
    const job = new RunningJob(task, { network, storage: this.stp.hosts[host].mechanism });
    this.stp.hosts[host].member.onLost((error) => job.session.loseStorage(error));
    return job;
  }
}

/** One side's session, and how its job ended. */
export class RunningJob<T extends WorkerTask> {
  readonly task: T;
  readonly session: WorkerSession;
  readonly #over = Promise.withResolvers<void>();
  /** Resolves when it is over. */
  readonly ended = this.#over.promise;
  /** What it answered of a log, in the order of the answers. */
  readonly walAnswers: WalAnswer[] = [];
  readonly #network: string[] = [];
  readonly #audit: Omit<AuditEntry, "who">[] = [];
  readonly #steps: FlowStep[] = [];
  readonly #reports: JobEventBody[] = [];
  readonly #warnings: string[] = [];

  constructor(
    task: T,
    { network, storage, clock = runtime.clock }: {
      readonly network: Mechanism;
      readonly storage: Mechanism;
      readonly clock?: Clock;
    },
  ) {
    this.task = task;
    const post = (message: FromWorker) => {
      if (message.type === "network") this.#network.push(message.message);
      if (message.type === "audit") this.#audit.push(message.entry);
      if (message.type === "report") this.#reports.push(message.body);
      if (message.type === "wal") this.walAnswers.push(message.answer);
      if (message.type === "steps") this.#steps.push(...message.steps);
      if (message.type === "report" && message.body.type === "warning") {
        this.#warnings.push(`${message.body.code} ${message.body.path ?? message.body.message}`);
      }
    };
    const parts = { runtime: { ...runtime, clock }, task, network, storage, post };
    this.session = new WorkerSession(parts);
  }

  async end(run: () => Promise<WorkerResult>): Promise<JobOutcome> {
    let result: WorkerResult | null = null;
    let error: Error | null = null;
    try {
      result = await run();
    } catch (thrown) {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    }
    await this.session[Symbol.asyncDispose]();
    this.#over.resolve();
    const { network, storage } = this.session.channels();
    const channels = { network: network.bytes, storage: storage.bytes };
    const { fallback } = this.session;
    const told = {
      network: this.#network,
      audit: this.#audit,
      steps: this.#steps,
      reports: this.#reports,
      warnings: this.#warnings,
    };
    return { result, error, fallback, channels, ...told };
  }
}

/** The client's two ports, as its daemon has them, for one job. */
class ClientPorts implements AsyncDisposable {
  readonly #layer = new ConnectLayer({
    network: new TcpMechanism(runtime.network),
    storage: null,
  });
  readonly #gone = new AbortController();
  readonly #ports: ListeningPort[] = [];
  readonly #room = new SetupRoom(runtime.clock, (setup) => {
    this.#layer.abort(setup.descriptor, "late");
  });
  readonly #rejoins = new RejoinRoom();
  #session: WorkerSession | null = null;
  port = 0;

  static async open(): Promise<ClientPorts> {
    const ports = new ClientPorts();
    const { clock } = runtime;
    const door = new FileSystemDoor({
      layer: ports.#layer,
      clock,
      name: "web01",
      connections: 2,
      signal: ports.#gone.signal,
      admit: (hello, peerName) => {
        if (hello.connection > 1) ports.#rejoins.admit(hello, peerName);
      },
      onSession: (session) => ports.#enter(session),
    });
    for (;;) {
      const first = await ports.#listen(0, FIG4, (accepted) => door.enter(accepted));
      try {
        await ports.#listen(first + 1, FIG4A, (accepted) => ports.#bring(accepted));
        ports.port = first;
        return ports;
      } catch {
        continue; // The next port is taken: another pair.
      }
    }
  }

  /** The session that the job of these ports runs in. */
  serve(session: WorkerSession): void {
    this.#session = session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone.abort();
    this.#room.clear();
    for (const port of this.#ports) await port[Symbol.asyncDispose]();
    await this.#layer[Symbol.asyncDispose]();
  }

  async #listen(
    port: number,
    steps: typeof FIG4,
    onAccepted: (accepted: Accepted) => Promise<void>,
  ): Promise<number> {
    const listening = await ListeningPort.open({
      layer: this.#layer,
      clock: runtime.clock,
      address: inet(port),
      steps,
      onAccepted,
      onRefused: () => {},
    });
    this.#ports.push(listening);
    return listening.address.port;
  }

  #enter(session: FileSystemSession): void {
    const { hello } = session;
    if (hello.connection > 1) return this.#rejoins.bring(session, undefined);
    const handler = (again: FileSystemSession) => this.#relayNetwork(again);
    this.#rejoins.enter(session, { peerName: undefined, handler });
    this.#relayNetwork(session);
    this.#room.enter(hello, (setup: StorageSetup) => {
      const { message, steps, descriptor } = setup;
      this.#relay(descriptor, { role: "storage-setup", setup: { message, steps } });
    });
  }

  #relayNetwork({ control, errors, steps }: FileSystemSession): void {
    this.#relay(control, { role: "control", setup: null, steps });
    if (errors !== null) this.#relay(errors, { role: "errors", setup: null });
  }

  async #bring(accepted: Accepted): Promise<void> {
    const { clock } = runtime;
    const signal = this.#gone.signal;
    this.#room.bring(await receiveStorageSetup(accepted, { layer: this.#layer, clock, signal }));
  }

  #relay(descriptor: number, details: Pick<RelayedConnection, "role" | "setup" | "steps">): void {
    const conn = this.#layer.conn(descriptor);
    const { port1, port2 } = new MessageChannel();
    void serveRelay(conn, port1, { signal: this.#gone.signal });
    const { localAddr, remoteAddr } = conn;
    this.#session?.adopt({ ...details, port: port2, localAddr, remoteAddr, alreadyBytes: 0 });
  }
}
