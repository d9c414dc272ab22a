// A database job on the client's worker thread. The client initiates it by Fig. 5; control, records
// and errors all travel on the one connection that the flow made.

import {
  AgentError,
  AT_CWD,
  connectDatabase,
  type Files,
  fromErrorRecord,
  SystemError,
} from "../../transport/mod.ts";
import { produceSqlite, snapshotSqlite, SqliteRestorer } from "../application/mod.ts";
import {
  type ClientDatabaseTask,
  finishLink,
  groupOf,
  JobLink,
  type LinkDocument,
  NOT_CONFIGURED,
  type Prove,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { DatabaseEntry } from "../config/mod.ts";
import { BackupHooks } from "./backup_hooks.ts";
import { openerOf, sealerOf } from "./job_encryption.ts";
import { receiveRestore } from "./receive_restore.ts";
import { sendBackup, WarningQueue } from "./send_backup.ts";
import { SpoolFile } from "./spool_file.ts";

type Sqlite = Extract<DatabaseEntry, { kind: "sqlite" }>;

export async function runClientDatabase(
  session: WorkerSession,
  task: ClientDatabaseTask,
  prove: Prove,
): Promise<WorkerResult> {
  const database = requireSqlite(task.database);
  const connection = await connectDatabase(session.flow(), {
    server: task.server,
    listen: task.listen,
    identity: session.identity,
    group: (name) => groupOf(task.stgs[name] ?? NOT_CONFIGURED, "client"),
    random: session.runtime.random,
    prove,
    lost: session.storageLost,
  });
  session.running(task.action.type === "backup" ? "backup-database" : "restore-database");
  session.settleDatabase(connection);
  const conn = session.layer.conn(connection.descriptor);
  const link = new JobLink({ control: conn, errors: null }, {
    signal: session.signal,
    clock: session.runtime.clock,
  });
  const hooks = new BackupHooks(session, task.hooks);
  return await hooks.around(() =>
    finishLink(session, link, async () => {
      await link.send(session.ownSteps());
      if (task.action.type === "backup") {
        return await backUp(session, link, { task, database, hooks });
      }
      const { backup, target } = task.action;
      return await restore(session, link, { task, database, backup, target });
    })
  );
}

interface BackUpParts {
  readonly task: ClientDatabaseTask;
  readonly database: Sqlite;
  readonly hooks: BackupHooks;
}

async function backUp(
  session: WorkerSession,
  link: JobLink,
  { task, database, hooks }: BackUpParts,
): Promise<WorkerResult> {
  const { files } = session.runtime;
  const source = database.path;
  const { name, job } = session.identity;
  using spool = new SpoolFile(files, { directory: task.spool, client: name, job });
  await link.send({
    type: "backup-database",
    database: database.name,
    kind: "sqlite",
    path: source,
  });
  const { backup } = await expect(session, link, "started");
  const warnings = new WarningQueue();
  const prepare = async (signal: AbortSignal) => {
    await hooks.before({ kind: "sqlite", backup, database: database.name }, { signal, warnings });
    snapshotSqlite({ source, spool: spool.path, files });
    const sealer = sealerOf(session, task.encryption);
    const producer = produceSqlite({
      source,
      spool: spool.path,
      files,
      frameBytes: sealer?.frameBytes,
      signal: session.signal,
    });
    return {
      producer,
      totals: { totalFiles: 1, totalBytes: spool.sizeBytes() },
      level: task.compressionLevel,
      sealer,
    };
  };
  return await sendBackup(session, { link, warnings, parent: null, prepare });
}

interface RestoreRequest {
  readonly task: ClientDatabaseTask;
  readonly database: Sqlite;
  readonly backup: string;
  /** Directory to write the database file to; null replaces the database in place. */
  readonly target: string | null;
}

async function restore(
  session: WorkerSession,
  link: JobLink,
  { task, database, backup, target }: RestoreRequest,
): Promise<WorkerResult> {
  const { files } = session.runtime;
  if (target !== null) requireEmpty(files, target);
  const name = database.path.slice(database.path.lastIndexOf("/") + 1);
  const warnings = new WarningQueue();
  const consumer = new SqliteRestorer({
    files,
    destination: target === null ? database.path : `${target}/${name}`,
    onWarning: warnings.add,
  });
  try {
    await link.send({ type: "restore-database", database: database.name, backup });
    const start = await expect(session, link, "restore-start");
    session.setBackup(start.backup);
    const { totalFiles, totalBytes } = start;
    const result = await receiveRestore(session, consumer, {
      link,
      warnings,
      opener: openerOf(session, task.encryption),
      totals: { totalFiles, totalBytes },
      incomplete: () => false,
    });
    return { ...result, backup: start.backup };
  } catch (error) {
    consumer.abort();
    throw error;
  }
}

/** @throws AgentError `failed` when there is something in the directory */
function requireEmpty(files: Files, target: string): void {
  let descriptor: number;
  try {
    descriptor = files.open(AT_CWD, target, { access: "read", directory: true });
  } catch (error) {
    // What is not there is made; what is no directory fails there, with its name.
    if (error instanceof SystemError) return;
    throw error;
  }
  const entries = files.list(descriptor).length;
  files.close(descriptor);
  if (entries === 0) return;
  const message = `Cannot restore to "${target}": found files in it, need it empty`;
  throw new AgentError("failed", message, {
    hint: "Name an empty directory, or leave out --target to replace the database in place.",
  });
}

/** Waits for a document of one type; takes the peer's trace on the way. */
async function expect<T extends LinkDocument["type"]>(
  session: WorkerSession,
  link: JobLink,
  type: T,
): Promise<Extract<LinkDocument, { type: T }>> {
  const is = (document: LinkDocument): document is Extract<LinkDocument, { type: T }> =>
    document.type === type;
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (is(document)) return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", `Cannot go on with the job: the server did not send "${type}"`);
}

function requireSqlite(database: DatabaseEntry): Sqlite {
  if (database.kind === "sqlite") return database;
  throw new AgentError(
    "unsupported",
    `Cannot back up database "${database.name}": found kind "${database.kind}", need "sqlite"`,
    { hint: "This version backs up SQLite databases; use the database's own tools for others." },
  );
}
