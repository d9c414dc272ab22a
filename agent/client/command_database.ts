// A database that a program of the client's configuration backs up and another one restores: its
// standard output is the backup, and the other's standard input gets it back.

import { AgentError, type Runtime } from "../../transport/mod.ts";
import {
  type CommandBackup,
  CommandRestorer,
  type Consumer,
  produceCommand,
} from "../application/mod.ts";
import type { DatabaseEntry } from "../config/mod.ts";
import type {
  DatabaseKind,
  PrepareDatabase,
  PreparedDatabase,
  RestoreDatabase,
} from "./database_kind.ts";

type Commands = Extract<DatabaseEntry, { kind: "command" }>;

export class CommandDatabase implements DatabaseKind {
  readonly kind = "command";
  readonly path: string;
  readonly #runtime: Runtime;
  readonly #commands: Commands;
  readonly #job: string;
  #backup: CommandBackup | null = null;
  #restore: CommandRestorer | null = null;

  constructor(runtime: Runtime, commands: Commands, job: string) {
    this.#runtime = runtime;
    this.#commands = commands;
    this.#job = job;
    this.path = `/${commands.name}`;
  }

  prepare({ backup, frameBytes, signal }: PrepareDatabase): PreparedDatabase {
    const { process, clock } = this.#runtime;
    const { name } = this.#commands;
    const made = produceCommand({
      process,
      clock,
      command: this.#commands.backup,
      environment: this.#environment({ AGENT_BACKUP: backup }),
      name,
      owner: process.user,
      frameBytes,
      signal,
    });
    this.#backup = made;
    const { producer, ready } = made;
    return { producer, ready, totals: { totalFiles: null, totalBytes: null } };
  }

  restorer({ target, tablespaces, signal }: RestoreDatabase): Consumer {
    const stray = target !== null ? "--target" : tablespaces.length > 0 ? "--tablespace" : null;
    if (stray !== null) {
      const message = `Cannot restore "${this.#commands.name}": found ${stray}, need none`;
      throw new AgentError("usage", message, {
        hint: "Where to is the business of the key `restore` of the database.",
      });
    }
    const { process, clock } = this.#runtime;
    return this.#restore = new CommandRestorer({
      process,
      clock,
      command: this.#commands.restore,
      environment: this.#environment({}),
      signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backup?.end();
    await this.#restore?.end();
  }

  #environment(more: Readonly<Record<string, string>>): Record<string, string> {
    return { AGENT_JOB: this.#job, AGENT_DATABASE: this.#commands.name, ...more };
  }
}
