// A PostgreSQL cluster of the benchmark's own, run by the user of Debian's package, with the tables
// of pgbench. It listens on a Unix socket in its own folder only.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../demonstration/run_tool.ts";

const VERSIONS = "/usr/lib/postgresql";
export const SERVER_USER = "postgres";
const AS_SERVER = ["setpriv", "--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"];

/** A command as the user of the server. */
export function asServer(command: readonly string[]): readonly string[] {
  return [...AS_SERVER, ...command];
}

/** Full path of a program of the newest server. @throws Error without one */
export function serverProgram(name: string): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : [];
  const newest = versions.map(Number).filter((version) => version >= 15)
    .sort((a, b) => b - a)[0];
  if (newest === undefined) throw new Error("need PostgreSQL 15 or later: package postgresql");
  return join(VERSIONS, String(newest), "bin", name);
}

export class Cluster implements AsyncDisposable {
  readonly data: string;
  readonly socket: string;
  #running = false;

  /** @param folder one that the server's user may enter */
  constructor(folder: string) {
    this.data = join(folder, "pg");
    this.socket = join(folder, "pg-run");
  }

  /** Makes the cluster and pgbench's tables, `scale` units of about 15 MB. */
  async make(scale: number): Promise<void> {
    for (const path of [this.data, this.socket]) {
      mkdirSync(path);
      execFileSync("chown", [SERVER_USER, path]);
    }
    await this.tool("initdb", "-D", this.data, "--auth", "peer", "--no-sync", "--data-checksums");
    this.configure(`listen_addresses = ''
unix_socket_directories = '${this.socket}'
wal_level = replica
archive_mode = on
archive_command = 'true'
max_wal_size = 4GB
`);
    await this.start();
    await this.tool("pgbench", "-i", "-q", "-s", String(scale), "-h", this.socket, "postgres");
    await this.tool("psql", "-h", this.socket, "-d", "postgres", "-c", "CHECKPOINT");
  }

  configure(lines: string): void {
    writeFileSync(join(this.data, "postgresql.conf"), lines, { flag: "a" });
  }

  async start(): Promise<void> {
    await this.tool("pg_ctl", "-D", this.data, "-l", join(this.socket, "log"), "-w", "start");
    this.#running = true;
  }

  /** Takes its configuration in again. */
  async reload(): Promise<void> {
    await this.tool("pg_ctl", "-D", this.data, "reload");
  }

  /** Segments that wait for their archiving. */
  waiting(): number {
    const folder = join(this.data, "pg_wal", "archive_status");
    return readdirSync(folder).filter((name) => name.endsWith(".ready")).length;
  }

  /** Runs a program of the server. @returns what it printed */
  async tool(name: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runTool(asServer([serverProgram(name), ...args]), {
      cwd: "/",
    });
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr.trim()}`);
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) await this.tool("pg_ctl", "-D", this.data, "-m", "immediate", "stop");
  }
}
