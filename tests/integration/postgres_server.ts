// A PostgreSQL cluster of a test's own, run by the user `postgres` of Debian's package: root may
// not run one. It listens on a Unix socket in its own folder only.

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { userInfo } from "node:os";
import { asServer, SERVER_USER, serverProgram } from "../../scripts/bench/postgresql/cluster.ts";
import { until } from "./deadline.ts";
import { Started } from "./program.ts";

export { SERVER_USER };

/** Milliseconds that a tool of the server may take. */
const TOOL_MS = 60_000;

/** Lines of the server's log that a failed start shows. */
const LOG_LINES = 20;

/** Runs a program of the server as its user. @returns what it printed */
export function runTool(name: string, args: readonly string[], input = ""): string {
  const words = [serverProgram(name), ...args];
  const [command = "", ...rest] = userInfo().uid === 0 ? asServer(words) : words;
  return execFileSync(command, rest, { input, timeout: TOOL_MS, encoding: "utf8", cwd: "/" });
}

/** A directory that belongs to the server. */
export function makeServerDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
  giveToServer(path);
}

/** Makes the server's user the owner. */
export function giveToServer(path: string): void {
  if (userInfo().uid !== 0) return;
  const [uid = 0, gid = 0] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, SERVER_USER], { encoding: "utf8" }))
  );
  chownSync(path, uid, gid);
}

function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter((word) => word !== "").map(Number);
  } catch {
    return []; // It ended in this moment.
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in this moment.
  }
}

/** A cluster that exists; `start` runs its server. Disposing stops it. */
export class PostgresServer implements Disposable {
  readonly data: string;
  readonly socket: string;

  /** @param data the data directory, made by `create` or restored */
  constructor(data: string, socket: string) {
    this.data = data;
    this.socket = socket;
  }

  /** Makes a cluster with checksums in `folder`/NAME, whose archive of its log never works. */
  static create(folder: string, name = "pg"): PostgresServer {
    // The server's user must pass through the test's folder.
    chmodSync(folder, 0o711);
    const data = join(folder, name);
    const socket = join(folder, `${name}-run`);
    for (const path of [data, socket]) makeServerDirectory(path);
    const how = ["--auth", "peer", "--no-locale", "--encoding", "UTF8", "--no-sync"];
    runTool("initdb", ["-D", data, "--data-checksums", ...how]);
    const server = new PostgresServer(data, socket);
    server.configure(`
listen_addresses = ''
unix_socket_directories = '${socket}'
wal_level = replica
archive_mode = on
archive_command = 'false'
max_wal_senders = 4
shared_buffers = 16MB
`);
    return server;
  }

  /** Adds lines to the configuration. */
  configure(lines: string): void {
    writeFileSync(join(this.data, "postgresql.conf"), lines, { flag: "a" });
  }

  start(): void {
    const log = join(this.socket, "log");
    try {
      runTool("pg_ctl", ["-D", this.data, "-l", log, "-w", "start"]);
    } catch (error) {
      const said = readFileSync(log, "utf8").split("\n").slice(-LOG_LINES).join("\n");
      throw new Error(`the server does not start:\n${said}`, { cause: error });
    }
  }

  stop(mode: "fast" | "immediate" = "fast"): void {
    runTool("pg_ctl", ["-D", this.data, "-m", mode, "-w", "stop"]);
  }

  /** Starts the server without waiting for anything. */
  launch(): void {
    runTool("pg_ctl", ["-D", this.data, "-l", join(this.socket, "log"), "-W", "start"]);
  }

  get isRunning(): boolean {
    return this.#mainProcess() !== null;
  }

  /**
   * Kills every process of the server, as the kernel does when it has no memory left.
   * @returns false when there was none
   */
  async kill(): Promise<boolean> {
    const main = this.#mainProcess();
    if (main === null) return false;
    const pids = [main, ...childrenOf(main)];
    for (const pid of pids) killIfThere(pid);
    // One that nobody has waited for yet still keeps the next server from starting.
    const isListed = (pid: number) => existsSync(`/proc/${pid}`);
    await until(TOOL_MS, "the end of a server", () => pids.some(isListed) ? null : true);
    return true;
  }

  /** Runs statements. @returns what they answer, a line for each row, without headings */
  sql(statements: string): string {
    const how = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
    return runTool("psql", [...how, "-h", this.socket, "-d", "postgres"], statements).trim();
  }

  /** Makes the tables of pgbench; `scale` units of about 15 MB. */
  benchFill(scale: number): void {
    runTool("pgbench", ["-i", "-q", "-s", String(scale), "-h", this.socket, "postgres"]);
  }

  /** Clients of pgbench that write until they are disposed of, at full speed without a rate. */
  benchLoad(transactionsPerSecond?: number): Started {
    const rate = transactionsPerSecond === undefined ? [] : ["-R", String(transactionsPerSecond)];
    const words = ["pgbench", "-n", "-c", "2", ...rate, "-T", "600", "-h", this.socket, "postgres"];
    const user = ["setpriv", "--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"];
    return new Started(words, { cwd: "/", wrapper: user });
  }

  /** Four sums that each transaction of pgbench keeps equal. */
  benchSums(): readonly string[] {
    const sums = ["accounts", "tellers", "branches"].map((name) =>
      this.sql(`SELECT sum(${name.slice(0, 1)}balance) FROM pgbench_${name}`)
    );
    return [...sums, this.sql("SELECT coalesce(sum(delta), 0) FROM pgbench_history")];
  }

  [Symbol.dispose](): void {
    if (this.isRunning) this.stop("immediate");
  }

  #mainProcess(): number | null {
    const path = join(this.data, "postmaster.pid");
    const pid = existsSync(path) ? Number.parseInt(readFileSync(path, "utf8")) : NaN;
    return pid > 0 && isThere(pid) ? pid : null;
  }
}
