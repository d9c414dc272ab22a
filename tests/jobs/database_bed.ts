// A server's and a client's database job in one thread: their real code from Fig. 5 to the vault and
// the programs, as job_bed.ts has it for file systems.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runClientDatabase } from "../../agent/client/mod.ts";
import { type ClientEntry, type DatabaseEntry, streamsOf } from "../../agent/config/mod.ts";
import { type Confinement, UNCONFINED } from "../../agent/confinement.ts";
import type {
  ClientDatabaseTask,
  EncryptionPart,
  ServerDatabaseTask,
  StgAccess,
  WalAction,
  WalAnswer,
} from "../../agent/job/mod.ts";
import { runServerDatabase } from "../../agent/server/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { Vault } from "../../agent/vault/mod.ts";
import { ConnectLayer } from "../../transport/connect/mod.ts";
import {
  type Accepted,
  holdAnnouncement,
  ListeningPort,
  receiveAnnouncement,
} from "../../transport/flow/mod.ts";
import type { Clock, Network } from "../../transport/runtime/runtime.ts";
import { proveMedium, stpTiming } from "../../transport/stp/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { FIG5, IDENTITY, inet, runtime } from "../unit/transport/flow/flow_bed.ts";
import { type MemoryBed, openMemoryBed } from "../unit/transport/stp/stp_bed.ts";
import { type JobOutcome, RunningJob, TIMING } from "./job_bed.ts";

type Outcomes = readonly [server: JobOutcome, client: JobOutcome];

interface Carried {
  readonly answers: readonly WalAnswer[];
  readonly outcomes: Outcomes;
}

export class DatabaseBed implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "agent-database-"));
  readonly stp: MemoryBed;
  channel: ClientEntry["channel"] = "prefer-storage";
  encryption: EncryptionPart = { recipients: [], identityFile: null };
  /** Which hosts need the storage connections encrypted: the server, the client. */
  encrypt: readonly [boolean, boolean] = [false, false];
  /** What the client's own file allows. */
  allow: Confinement = UNCONFINED;
  /** What the server's job, and the client's, goes by. */
  clocks: readonly [Clock, Clock] = [runtime.clock, runtime.clock];
  /** What the server's job reaches the client by. */
  network: Network = runtime.network;
  /** The client's side of a job. */
  runClient = runClientDatabase;
  #sessions: readonly RunningJob<ServerDatabaseTask | ClientDatabaseTask>[] = [];

  private constructor(stp: MemoryBed) {
    this.stp = stp;
    this.makeVault();
  }

  static async open(): Promise<DatabaseBed> {
    const { clock, random } = runtime;
    const format = { maxHosts: 2, endpointsPerHost: 8 };
    return new DatabaseBed(await openMemoryBed({ clock, random, timing: TIMING, format }));
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** An empty vault, if there is none. */
  makeVault(): void {
    Vault.open({ directory: this.path("vault"), ...runtime }).close();
  }

  cancel(side: "server" | "client"): void {
    this.#sessions[side === "server" ? 0 : 1]?.session.cancel();
  }

  /** Resolves when that side's job that runs is over. */
  async ended(side: "server" | "client"): Promise<void> {
    await this.#sessions[side === "server" ? 0 : 1]?.ended;
  }

  /** Published backups. */
  backups(): readonly string[] {
    using vault = Vault.open({ directory: this.path("vault"), ...runtime });
    return vault.backups().map(({ backup }) => backup);
  }

  /** Carries a log, asks for these things one after the other, then cancels the client's job. */
  async carry(database: DatabaseEntry, actions: readonly WalAction[]): Promise<Carried> {
    const ended = this.run(database, { type: "archive-wal" });
    let isOver = false;
    const note = () => {
      isOver = true;
    };
    ended.then(note, note);
    const answers = () => this.#sessions.at(-1)?.walAnswers ?? [];
    for (const [id, action] of actions.entries()) {
      while (this.#sessions.length < 2 && !isOver) await runtime.clock.sleep(5);
      this.#sessions.at(-1)?.session.walRequests.add({ id, action });
      while (answers().length <= id && !isOver) await runtime.clock.sleep(5);
    }
    this.cancel("client");
    return { answers: answers(), outcomes: await ended };
  }

  /** Runs one job on both sides; `newBackup` is the id of the backup that it may make. */
  async run(
    database: DatabaseEntry,
    action: ClientDatabaseTask["action"],
    newBackup = "web01-20260101T000000Z-aaaaaa",
  ): Promise<Outcomes> {
    const layer = new ConnectLayer({ network: new TcpMechanism(runtime.network), storage: null });
    const gone = new AbortController();
    const served = Promise.withResolvers<JobOutcome>();
    const door = { layer, clock: runtime.clock, name: "vault01", signal: gone.signal };
    const onAccepted = async (accepted: Accepted) => {
      const { hello, port } = await receiveAnnouncement(accepted, door, () => {});
      expectStreams(hello.streams ?? 1, streamsOf(database));
      const far = this.#job(0, this.#serverTask(port, newBackup));
      this.#sessions = [far, ...this.#sessions];
      const ended = far.end(() => runServerDatabase(far.session, far.task, proveMedium));
      void ended.then(served.resolve, served.reject);
      await holdAnnouncement(accepted, door, ended.then(() => {}));
    };
    const { clock } = runtime;
    const port = await ListeningPort.open({
      layer,
      clock,
      address: inet(0),
      steps: FIG5,
      onAccepted,
      onRefused: (error) => served.reject(new Error(error.message)),
    });
    const near = this.#job(1, this.#clientTask(port.address, database, action));
    this.#sessions = [near];
    try {
      const client = near.end(() => this.runClient(near.session, near.task, proveMedium));
      return await Promise.all([served.promise, client]);
    } finally {
      gone.abort();
      await port[Symbol.asyncDispose]();
      await layer[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stp.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #serverTask(port: number, newBackup: string): ServerDatabaseTask {
    return {
      kind: "server-database",
      identity: IDENTITY,
      steps: [],
      client: {
        name: "web01",
        address: "127.0.0.1",
        port: 1,
        stg: "stg0",
        channel: this.channel,
        waitMs: 0,
        connections: 2,
        selection: EVERYTHING,
        fullEvery: null,
        allow: UNCONFINED,
      },
      stg: this.#access(0),
      vault: this.path("vault"),
      address: inet(port),
      newBackup,
    };
  }

  #clientTask(
    server: ClientDatabaseTask["server"],
    database: DatabaseEntry,
    action: ClientDatabaseTask["action"],
  ): ClientDatabaseTask {
    return {
      kind: "client-database",
      identity: { ...IDENTITY, name: "web01", streams: streamsOf(database) },
      steps: [],
      stgs: { stg0: this.#access(1) },
      compressionLevel: 1,
      hooks: { pre: null, post: null },
      encryption: this.encryption,
      allow: this.allow,
      server,
      listen: inet(0),
      spool: this.folder,
      database,
      action,
      walCommand: "",
    };
  }

  #access(host: 0 | 1): StgAccess {
    const { identity, hosts } = this.stp;
    const lease = { leaseId: 0, endpoints: [], ports: [] };
    const source = { kind: "raw", paths: [], timeoutMs: 30_000 } as const;
    const { claim } = hosts[host].member;
    const encrypt = this.encrypt[host];
    const timing = stpTiming(TIMING);
    return { part: { name: "stg0", source, identity, claim, lease, timing, encrypt } };
  }

  #job<T extends ServerDatabaseTask | ClientDatabaseTask>(host: 0 | 1, task: T): RunningJob<T> {
    const { mechanism, member } = this.stp.hosts[host];
    const network = new TcpMechanism(host === 0 ? this.network : runtime.network);
    const job = new RunningJob(task, { network, storage: mechanism, clock: this.clocks[host] });
    member.onLost((error) => job.session.loseStorage(error));
    return job;
  }
}

function expectStreams(announced: number, streams: number): void {
  if (announced !== streams) throw new Error(`announced ${announced} streams, not ${streams}`);
}
