// What is asked of a PostgreSQL server on a replication connection: log in, who it is, and a base
// backup up to where its data begin. Asynchronous, for the server may take its time: a base backup
// begins with a checkpoint.

import { AgentError, type Clock, type Runtime, SystemError } from "../../transport/mod.ts";
import { PostgresConnection } from "./connection.ts";
import { LOG_IN_MS, MIN_VERSION, READ_WAIT_MS, WRITE_WAIT_MS } from "./limits.ts";
import {
  damagedMessage,
  decodeAuthentication,
  decodeRow,
  encodeQuery,
  encodeStartup,
  type Message,
  type Row,
  type ServerReport,
} from "./message.ts";
import { findUser } from "./find_user.ts";

/** Where a server listens, and as whom it is asked. */
export interface ServerAddress {
  /** Directory of the Unix socket. */
  readonly socket: string;
  readonly port: number;
  /** Name of the user, to the operating system and to the server. */
  readonly user: string;
}

export interface LogInOptions {
  readonly signal: AbortSignal;
  readonly onNotice: (notice: ServerReport) => void;
}

/** What identifies a cluster, and where its write-ahead log stands. */
export interface SystemIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Full path of the data directory. */
  readonly dataDirectory: string;
}

export interface Tablespace {
  readonly oid: string;
  readonly location: string;
}

/** A place in the write-ahead log, as the server writes it. */
export interface LogPlace {
  readonly lsn: string;
  readonly timeline: number;
}

/** How a server keeps its write-ahead log. */
export interface LogSettings {
  readonly segmentBytes: number;
  /** True when it hands each segment to our own archive command. */
  readonly archivesHere: boolean;
}

/** A base backup whose data come next on its connection. */
export interface BaseBackupStart {
  /** Where recovery begins. */
  readonly start: LogPlace;
  readonly tablespaces: readonly Tablespace[];
  /** As the server guesses; null when it does not. */
  readonly totalBytes: number | null;
}

/** A logged-in replication connection; disposing of it closes it. */
export class ReplicationSession implements Disposable {
  readonly connection: PostgresConnection;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  private constructor(connection: PostgresConnection, clock: Clock, signal: AbortSignal) {
    this.connection = connection;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** @throws AgentError `unreachable` | `auth` | `unsupported` | `busy` | `cancelled` | … */
  static async logIn(
    runtime: Runtime,
    server: ServerAddress,
    { signal, onNotice }: LogInOptions,
  ): Promise<ReplicationSession> {
    const path = `${server.socket}/.s.PGSQL.${server.port}`;
    const as = await findUser(runtime.process, server.user);
    const socket = connectTo(
      { path, user: server.user },
      () =>
        runtime.connectLocal(path, { as, readWaitMs: READ_WAIT_MS, writeWaitMs: WRITE_WAIT_MS }),
    );
    const connection = new PostgresConnection({ socket, path, onNotice });
    try {
      const session = new ReplicationSession(connection, runtime.clock, signal);
      await session.#logIn(server.user);
      return session;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws AgentError */
  async identify(): Promise<SystemIdentity> {
    const [system] = await this.#ask("IDENTIFY_SYSTEM");
    const [directory] = await this.#ask("SHOW data_directory");
    const [systemIdentifier, timeline] = system ?? [];
    const dataDirectory = directory?.[0];
    if (!systemIdentifier || !dataDirectory) throw damagedMessage("no identity", "one");
    return { systemIdentifier, timeline: Number(timeline), dataDirectory };
  }

  /** @throws AgentError */
  async logSettings(): Promise<LogSettings> {
    const show = async (name: string) => (await this.#ask(`SHOW ${name}`))[0]?.[0] ?? "";
    const segmentBytes = parseSegmentSize(await show("wal_segment_size"));
    const archivesHere = archivesLogHere({
      mode: await show("archive_mode"),
      inStandby: await show("in_hot_standby"),
      command: await show("archive_command"),
    });
    return { segmentBytes, archivesHere };
  }

  /**
   * Begins a base backup with the log that it needs; its data follow on the connection.
   * @throws AgentError
   */
  async startBaseBackup(label: string): Promise<BaseBackupStart> {
    const options = [
      `LABEL '${label.replaceAll("'", "''")}'`,
      "PROGRESS",
      "CHECKPOINT 'fast'",
      "WAL",
      "WAIT 0", // The log is in the backup: an archive that does not work must not hold it up.
      "MANIFEST 'yes'",
      "MANIFEST_CHECKSUMS 'CRC32C'",
    ];
    this.connection.send(encodeQuery(`BASE_BACKUP (${options.join(", ")})`));
    const start = decodeLogPlace((await this.#rows())[0] ?? []);
    const tablespaces = await this.#rows();
    const kilobytes = tablespaces.reduce((sum, row) => sum + Number(row[2] ?? 0), 0);
    return {
      start,
      tablespaces: tablespaces.flatMap(([oid, location]) =>
        oid && location ? [{ oid, location }] : []
      ),
      totalBytes: kilobytes > 0 ? kilobytes * 1024 : null,
    };
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }

  async #logIn(user: string): Promise<void> {
    const startup = { user, replication: "true", application_name: "agent" };
    this.connection.send(encodeStartup(startup));
    const deadlineMs = this.#clock.monotonicMs() + LOG_IN_MS;
    for (;;) {
      const { type, body } = await this.#next(deadlineMs);
      if (type === "Z") break;
      if (type === "R" && decodeAuthentication(body) !== 0) throw needsPassword(user);
    }
    const version = this.connection.parameter("server_version");
    if (Number.parseInt(version) >= MIN_VERSION) return;
    throw new AgentError(
      "unsupported",
      `Cannot back up PostgreSQL: found version "${version}", need ${MIN_VERSION} or later`,
      { hint: "Upgrade the server, or back it up by its own tools (kind `command`)." },
    );
  }

  /** The rows of a query with one answer. */
  async #ask(query: string): Promise<readonly Row[]> {
    this.connection.send(encodeQuery(query));
    const rows = await this.#rows();
    while ((await this.#next()).type !== "Z");
    return rows;
  }

  /** The rows of the next answer. */
  async #rows(): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (;;) {
      const { type, body } = await this.#next();
      if (type === "C") return rows;
      if (type === "D") rows.push(decodeRow(body));
      else if (type !== "T") throw damagedMessage(`message "${type}"`, "rows");
    }
  }

  async #next(deadlineMs = Infinity): Promise<Message> {
    for (;;) {
      const message = this.connection.next();
      if (message !== null) return message;
      if (this.#signal.aborted) throw new AgentError("cancelled", "Cannot go on: cancelled");
      if (this.#clock.monotonicMs() > deadlineMs) {
        throw new AgentError("timeout", "Cannot log in to PostgreSQL: it says nothing", {
          hint: "Look into the server's log.",
        });
      }
      await this.#clock.yield();
    }
  }
}

/** Our own words in an archive_command, whatever stands before and after them. */
const ARCHIVE_COMMAND = /\bwal push\b/;

/**
 * True when these settings name our own command. A standby archives only if it "always" does; its
 * last segment comes when the primary ends it, for which PostgreSQL's own tools wait as well. Pure.
 */
export function archivesLogHere(
  { mode, inStandby, command }: Readonly<Record<"mode" | "inStandby" | "command", string>>,
): boolean {
  const archives = mode === "always" || (mode === "on" && inStandby === "off");
  return archives && ARCHIVE_COMMAND.test(command);
}

/** A row of the start or the end of a base backup. @throws AgentError `damaged` */
export function decodeLogPlace([lsn, timeline]: Row): LogPlace {
  if (!lsn || !timeline) throw damagedMessage("no place in the log", "one");
  return { lsn, timeline: Number(timeline) };
}

/** As `SHOW wal_segment_size` writes it: "16MB", "1GB". @throws AgentError `damaged` */
function parseSegmentSize(text: string): number {
  const [, count, unit] = /^(\d{1,4})(MB|GB)$/.exec(text) ?? [];
  if (count === undefined) throw damagedMessage(`segments of "${text}"`, "a size");
  return Number(count) * (unit === "GB" ? 1024 ** 3 : 1024 ** 2);
}

function connectTo<T>(
  { path, user }: { readonly path: string; readonly user: string },
  connect: () => T,
): T {
  try {
    return connect();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    if (cause.errno === "EPERM") {
      const message = `Cannot act as user "${user}": found ${cause.errno}, need root or that user`;
      throw new AgentError("auth", message, {
        cause,
        hint: "Run the agent as root, or as the key `user` of the database.",
      });
    }
    const message = `Cannot reach PostgreSQL at "${path}": found ${cause.errno}, need a server`;
    throw new AgentError("unreachable", message, {
      cause,
      hint: "Start the server, or mend the keys `socket` and `port` of the database.",
    });
  }
}

function needsPassword(user: string): AgentError {
  const message = `Cannot log in to PostgreSQL as "${user}": found a question for a password, ` +
    "need none";
  return new AgentError("auth", message, {
    hint: "Let that user in by `peer` or `trust` for `local replication` in pg_hba.conf.",
  });
}
