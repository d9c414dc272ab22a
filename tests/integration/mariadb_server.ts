// A MariaDB server of a test's own, run by the user `mysql` of Debian's package. It listens on a
// Unix socket in its own folder only.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { userInfo } from "node:os";
import { setTimeout as after } from "node:timers/promises";

const SERVER_USER = "mysql";
/** Milliseconds that a tool of the server may take, and the server to start. */
const TOOL_MS = 60_000;
const isRoot = userInfo().uid === 0;

/** Words before a program that runs it as the server's user. */
export const AS_MARIADB = isRoot
  ? ["setpriv", "--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"]
  : [];

/** Small and quick: what is lost in a crash of the machine is no loss here. */
const OPTIONS = [
  "--innodb-buffer-pool-size=16M",
  "--innodb-log-file-size=8M",
  "--innodb-flush-log-at-trx-commit=0",
  "--skip-networking",
];

/** A directory that belongs to the server. */
export function makeMariadbDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
  if (!isRoot) return;
  const [uid = 0, gid = 0] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, SERVER_USER], { encoding: "utf8" }))
  );
  chownSync(path, uid, gid);
}

function runAsServer(words: readonly string[], input = ""): string {
  const [command = "", ...args] = [...AS_MARIADB, ...words];
  return execFileSync(command, args, { input, timeout: TOOL_MS, encoding: "utf8", cwd: "/" });
}

/** A data directory with its server while that runs. Disposing ends it. */
export class MariadbServer implements AsyncDisposable {
  readonly data: string;
  readonly socket: string;
  #process: ChildProcess | null = null;

  constructor(folder: string, name: string) {
    // The server's user must pass through the test's folder.
    chmodSync(folder, 0o711);
    this.data = join(folder, name);
    const run = join(folder, `${name}-run`);
    this.socket = join(run, "socket");
    for (const path of [this.data, run]) makeMariadbDirectory(path);
  }

  /** Fills an empty data directory. */
  install(): void {
    const how = ["--auth-root-authentication-method=normal", "--skip-test-db"];
    runAsServer(["mariadb-install-db", "--no-defaults", `--datadir=${this.data}`, ...how]);
  }

  async start(): Promise<void> {
    const log = `${this.socket}.log`;
    const place = [`--datadir=${this.data}`, `--socket=${this.socket}`, `--log-error=${log}`];
    const pid = `--pid-file=${this.socket}.pid`;
    const words = [...AS_MARIADB, "mariadbd", "--no-defaults", ...place, pid, ...OPTIONS];
    const [command = "", ...args] = words;
    const child = spawn(command, args, { stdio: "ignore", cwd: "/" });
    this.#process = child;
    const deadline = performance.now() + TOOL_MS;
    while (!existsSync(this.socket)) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`MariaDB does not start: ${readFileSync(log, "utf8")}`);
      }
      await after(20);
    }
  }

  /** @returns what the statements printed, columns by tabs */
  sql(statements: string): string {
    const how = ["--no-defaults", `--socket=${this.socket}`, "--user=root", "--batch"];
    return runAsServer(["mariadb", ...how, "--skip-column-names"], statements).trim();
  }

  /** A client that runs a statement again and again until it is ended. */
  startWriter(statement: string): ChildProcess {
    const client = `mariadb --no-defaults --socket=${this.socket} --user=root`;
    const script = `while echo "${statement}"; do :; done | ${client}`;
    const [command = "", ...args] = [...AS_MARIADB, "sh", "-c", script];
    return spawn(command, args, { stdio: "ignore", cwd: "/", detached: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
}
