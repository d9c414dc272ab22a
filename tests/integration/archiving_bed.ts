// A bed with a PostgreSQL cluster that archives its log by our own command, as its own user.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../transport/ground/assert.ts";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { makeServerDirectory, PostgresServer, SERVER_USER } from "./postgres_server.ts";
import { copyProgram } from "./user_program.ts";

/** Milliseconds until a server that writes no more has archived its last segment. */
const ARCHIVE_MS = 60_000;

export class ArchivingBed implements AsyncDisposable {
  readonly bed: Bed;
  readonly cluster: PostgresServer;
  /** What starts the program, for any user. */
  readonly command: readonly string[];
  /** What the server archives its log with. */
  readonly push: string;
  readonly #control: string;
  readonly #servers: PostgresServer[];

  private constructor(bed: Bed, cluster: PostgresServer) {
    this.bed = bed;
    this.cluster = cluster;
    this.#servers = [cluster];
    this.command = copyProgram(bed.path("program"));
    this.#control = `unix:${bed.path("run", "wal.sock")}`;
    const words = [...this.command, "wal", "push", "%p", "--database", "pg"];
    const line = [...words, "--control", this.#control].join(" ");
    this.push = `DENO_DIR=${cluster.socket}/deno ${line}`;
  }

  /**
   * Both daemons, and the cluster, whose server is not started yet.
   * @param clientKeys further lines of the client's configuration
   */
  static async started(
    { clientKeys = "", moreClients = "" }: {
      readonly clientKeys?: string;
      readonly moreClients?: string;
    } = {},
  ): Promise<ArchivingBed> {
    const bed = await Bed.make({
      moreClients,
      clientKeys: `  pg: { kind: postgresql, data: pg, socket: pg-run, user: ${SERVER_USER} }
  other: { kind: postgresql, data: other, socket: pg-run, user: ${SERVER_USER} }
wal_socket: { path: run/wal.sock, user: ${SERVER_USER} }
${clientKeys}`,
    });
    try {
      const made = new ArchivingBed(bed, PostgresServer.create(bed.folder));
      made.cluster.configure(`archive_command = '${made.push}'\n`);
      await Promise.all([made.start("server"), made.start("client")]);
      return made;
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
  }

  async start(side: "server" | "client"): Promise<void> {
    await this.bed.start(side, side === "client" ? { command: this.command } : {});
  }

  /**
   * The cluster that was restored to a directory; its server ends with the bed.
   * @param socket directory of its socket
   * @param archives true: it goes on archiving where the living one does
   */
  restored(
    directory: string,
    { socket = this.cluster.socket, archives = false }: {
      readonly socket?: string;
      readonly archives?: boolean;
    } = {},
  ): PostgresServer {
    const server = new PostgresServer(directory, socket);
    if (!archives) server.configure("archive_mode = off\n");
    if (socket !== this.cluster.socket) {
      makeServerDirectory(socket);
      server.configure(`unix_socket_directories = '${socket}'\n`);
    }
    this.#servers.push(server);
    return server;
  }

  /** Runs the program as the server's user. @returns its exit code */
  asServer(...args: readonly string[]): number {
    const words = [...this.command, ...args, "--control", this.#control];
    const user = ["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"];
    try {
      execFileSync("setpriv", [...user, ...words], { cwd: this.cluster.data, stdio: "ignore" });
      return 0;
    } catch (error) {
      assert(error instanceof Error && "status" in error, "it has ended");
      return Number(error.status);
    }
  }

  /** Where the archive has a segment or a history, if it does. */
  archived(name: string): string {
    const folder = this.bed.path("vault", "wal", "web01", "pg");
    const cluster = join(folder, readdirSync(folder)[0] ?? "");
    const above = name.endsWith(".history") ? [] : [name.slice(0, 16)];
    return join(cluster, ...above, `${name}.zst`);
  }

  /** Ends a segment and waits until it is archived. */
  async switchLog(server = this.cluster): Promise<void> {
    const name = server.sql("SELECT pg_walfile_name(pg_switch_wal())");
    await until(ARCHIVE_MS, `the archiving of ${name}`, () => {
      const last = server.sql("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver");
      return last >= name ? true : null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server[Symbol.dispose]();
    await this.bed[Symbol.asyncDispose]();
  }
}
