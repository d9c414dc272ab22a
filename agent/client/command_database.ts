// A database that a program of the client's configuration backs up and another one restores: what
// the one writes is the backup, and the other one gets it back.

import { AgentError, type Process, type UserId } from "../../transport/mod.ts";
import {
  type CommandBackup,
  CommandRestorer,
  produceCommand,
  type ProgramsOptions,
} from "../application/mod.ts";
import type { DatabaseEntry } from "../config/mod.ts";
import type { WorkerSession } from "../job/mod.ts";
import { findUser } from "../postgresql/mod.ts";
import type {
  DatabaseKind,
  PrepareDatabase,
  PreparedDatabase,
  RestoreDatabase,
} from "./database_kind.ts";
import { pipesPath, type SpoolPlace } from "./spool_file.ts";

type Commands = Extract<DatabaseEntry, { kind: "command" }>;

export class CommandDatabase implements DatabaseKind {
  readonly kind = "command";
  readonly path: string;
  readonly #session: WorkerSession;
  readonly #commands: Commands;
  readonly #spool: SpoolPlace & { readonly job: string };
  #backup: CommandBackup | null = null;
  #restore: CommandRestorer | null = null;

  constructor(
    session: WorkerSession,
    commands: Commands,
    spool: SpoolPlace & { readonly job: string },
  ) {
    this.#session = session;
    this.#commands = commands;
    this.#spool = spool;
    this.path = `/${commands.name}`;
  }

  async prepare({ backup, frameBytes, signal }: PrepareDatabase): Promise<PreparedDatabase> {
    const { name, backup: command } = this.#commands;
    const made = produceCommand({
      ...await this.#programs({ AGENT_BACKUP: backup }, signal),
      command,
      name,
      owner: this.#session.runtime.process.user,
      frameBytes,
    });
    this.#backup = made;
    const { producer, ready } = made;
    return { producer, ready, totals: { totalFiles: null, totalBytes: null } };
  }

  async restorer(
    { target, tablespaces, signal }: RestoreDatabase,
  ): Promise<CommandRestorer> {
    const { name, restore: command } = this.#commands;
    const stray = target !== null ? "--target" : tablespaces.length > 0 ? "--tablespace" : null;
    if (stray !== null) {
      throw new AgentError("usage", `Cannot restore "${name}": found ${stray}, need none`, {
        hint: "Where to is the business of the key `restore` of the database.",
      });
    }
    const programs = await this.#programs({}, signal);
    return this.#restore = new CommandRestorer({ ...programs, command, name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backup?.end();
    await this.#restore?.end();
  }

  async #programs(
    more: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Omit<ProgramsOptions, "command">> {
    const { process, clock, files } = this.#session.runtime;
    const { name, streams, pipes } = this.#commands;
    return {
      process,
      clock,
      files,
      environment: { AGENT_JOB: this.#spool.job, AGENT_DATABASE: name, ...more },
      streams,
      pipes: pipes === null ? null : {
        directory: pipesPath(this.#spool),
        owner: pipes.owner === null ? null : await ownerOf(process, pipes.owner),
        openWithinMs: pipes.openWithinMs,
      },
      signal,
    };
  }
}

async function ownerOf(process: Process, name: string): Promise<UserId> {
  try {
    return await findUser(process, name);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const hint = "Mend the key `pipe_owner` of the database.";
    throw new AgentError(error.code, error.message, { hint });
  }
}
