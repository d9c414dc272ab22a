// A PostgreSQL cluster in a job: the server streams a base backup of itself, with the write-ahead
// log that makes it consistent; a restore writes the data directory and its tablespaces.

import { AgentError, AT_CWD, type Runtime, SystemError, type UserId } from "../../transport/mod.ts";
import { BaseBackupRestorer, type Consumer, produceBaseBackup } from "../application/mod.ts";
import type { DatabaseEntry } from "../config/mod.ts";
import { decodeLogPlace, findUser, ReplicationSession } from "../postgresql/mod.ts";
import type {
  DatabaseKind,
  PrepareDatabase,
  PreparedDatabase,
  RestoreDatabase,
} from "./database_kind.ts";
import type { LogRange } from "./send_backup.ts";

type Cluster = Extract<DatabaseEntry, { kind: "postgresql" }>;

export class PostgresDatabase implements DatabaseKind {
  readonly kind = "postgresql";
  readonly #runtime: Runtime;
  readonly #cluster: Cluster;
  #session: ReplicationSession | null = null;

  constructor(runtime: Runtime, cluster: Cluster) {
    this.#runtime = runtime;
    this.#cluster = cluster;
  }

  get path(): string {
    return this.#cluster.data;
  }

  async prepare(
    { backup, frameBytes, signal, onNotice }: PrepareDatabase,
  ): Promise<PreparedDatabase> {
    const { files, clock } = this.#runtime;
    const session = await ReplicationSession.logIn(this.#runtime, this.#cluster, {
      signal,
      onNotice: ({ severity, message }) => {
        if (severity === "WARNING") onNotice("postgresql", message);
      },
    });
    this.#session = session;
    const { dataDirectory, systemIdentifier } = await session.identify();
    this.#requireSame(dataDirectory);
    const { segmentBytes, archivesHere } = await session.logSettings();
    const { start, totalBytes } = await session.startBaseBackup(`agent ${backup}`);
    let end: Pick<LogRange, "stopLsn" | "stopMs"> | null = null;
    const producer = produceBaseBackup({
      connection: session.connection,
      data: this.#cluster.data,
      statDirectory: (path) => files.stat(AT_CWD, path, { follow: true }),
      wallMs: () => clock.wallMs(),
      frameBytes,
      signal,
      onEnd: (row) => end = { stopLsn: decodeLogPlace(row).lsn, stopMs: clock.wallMs() },
    });
    const log = { system: systemIdentifier, timeline: start.timeline, segmentBytes };
    const range = () =>
      end === null ? null : { ...log, startLsn: start.lsn, ...end, archived: archivesHere };
    return { producer, totals: { totalFiles: null, totalBytes }, range };
  }

  async restorer(
    { target, tablespaces, places, recovery, onWarning }: RestoreDatabase,
  ): Promise<Consumer> {
    return new BaseBackupRestorer({
      files: this.#runtime.files,
      data: target ?? this.#cluster.data,
      tablespaces: new Map(tablespaces.map(({ from, to }) => [from, to])),
      requireAllowed: (place) => places.require(place),
      owner: await this.#owner(),
      recovery,
      onWarning,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#session?.[Symbol.dispose]();
    return Promise.resolve();
  }

  /** Whom a restored cluster belongs to: its server refuses one of anybody else. */
  async #owner(): Promise<UserId> {
    const { process } = this.#runtime;
    const { user } = this.#cluster;
    const owner = await findUser(process, user);
    if (process.user.uid === 0 || process.user.uid === owner.uid) return owner;
    const message = `Cannot restore as user "${user}": found uid ${process.user.uid}, ` +
      "need root or that user";
    throw new AgentError("auth", message, {
      hint: "Run the agent as root, or as the key `user` of the database.",
    });
  }

  /** @throws AgentError `mismatch` when the socket leads to another cluster */
  #requireSame(dataDirectory: string): void {
    const { data, socket } = this.#cluster;
    if (this.#identityOf(data) === this.#identityOf(dataDirectory)) return;
    const message = `Cannot back up "${data}": found "${dataDirectory}" at "${socket}", ` +
      "need the server of that directory";
    throw new AgentError("mismatch", message, {
      hint: "Mend the keys `data`, `socket` and `port` of the database.",
    });
  }

  /** @throws AgentError `failed` */
  #identityOf(directory: string): string {
    try {
      const stat = this.#runtime.files.stat(AT_CWD, directory, { follow: true });
      return `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
    } catch (cause) {
      if (!(cause instanceof SystemError)) throw cause;
      const message = `Cannot look at "${directory}": found ${cause.errno}, need a data directory`;
      throw new AgentError("failed", message, {
        cause,
        hint: "Mend the key `data` of the database.",
      });
    }
  }
}
