// A database job on the client's worker thread. The client initiates it by Fig. 5; control, records
// and errors all travel on the one connection that the flow made.

import {
  AgentError,
  connectDatabase,
  fromErrorRecord,
  type NegotiatedConnection,
  WAL_VERSION,
} from "../../transport/mod.ts";
import { CommandRestorer } from "../application/mod.ts";
import { streamsOf } from "../config/mod.ts";
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
import { type BackupEnd, recoverySettings, requireReachable } from "../postgresql/mod.ts";
import { AllowedPlaces } from "./allowed_places.ts";
import { BackupHooks } from "./backup_hooks.ts";
import { carryWal } from "./carry_wal.ts";
import { CommandDatabase } from "./command_database.ts";
import type { DatabaseKind } from "./database_kind.ts";
import { openerOf, sealerOf } from "./job_encryption.ts";
import { offerStreams } from "./offer_streams.ts";
import { PostgresDatabase } from "./postgres_database.ts";
import { receiveRestore } from "./receive_restore.ts";
import { receiveStreams } from "./receive_streams.ts";
import { sendBackup, WarningQueue } from "./send_backup.ts";
import { SqliteDatabase } from "./sqlite_database.ts";
import { requireCluster } from "./wal_request.ts";

export async function runClientDatabase(
  session: WorkerSession,
  task: ClientDatabaseTask,
  prove: Prove,
): Promise<WorkerResult> {
  await using database = kindOf(session, task);
  const { action } = task;
  const connection = await connectDatabase(session.flow(), {
    server: task.server,
    listen: task.listen,
    identity: session.identity,
    group: (name) => groupOf(task.stgs[name] ?? NOT_CONFIGURED, "client", session.runtime),
    random: session.runtime.random,
    prove,
    lost: session.storageLost,
  });
  if (action.type !== "archive-wal") {
    session.running(action.type === "backup" ? "backup-database" : "restore-database");
  }
  session.settleDatabase(connection);
  const conn = session.layer.conn(connection.descriptor);
  const link = new JobLink({ control: conn, errors: null }, {
    signal: session.signal,
    clock: session.runtime.clock,
  });
  if (connection.mechanism === "network") link.watchNetwork();
  const hooks = new BackupHooks(session, task.hooks);
  const run = () =>
    finishLink(session, link, async () => {
      await link.send(session.ownSteps());
      const parts = { task, database, connection, prove };
      if (action.type === "restore") {
        return await restore(session, link, { ...parts, action });
      }
      if (action.type === "backup") {
        return await backUp(session, link, { ...parts, hooks });
      }
      return await carryWal(session, link, {
        database: task.database.name,
        data: requireCluster(task.database).data,
        encryption: task.encryption,
        version: connection.version,
        level: task.compressionLevel,
      });
    });
  return await (action.type === "archive-wal" ? run() : hooks.around(run));
}

interface JobParts {
  readonly task: ClientDatabaseTask;
  readonly database: DatabaseKind;
  readonly connection: NegotiatedConnection;
  readonly prove: Prove;
}

async function backUp(
  session: WorkerSession,
  link: JobLink,
  { task, database, hooks, ...way }: JobParts & { readonly hooks: BackupHooks },
): Promise<WorkerResult> {
  const { kind, path } = database;
  const { name } = task.database;
  const streams = streamsOf(task.database);
  await link.send({ type: "backup-database", database: name, kind, path, streams });
  const { backup, streams: confirmed = 1 } = await expect(session, link, "started");
  await offerStreams(session, link, { ...way, streams, confirmed });
  const warnings = new WarningQueue();
  const prepare = async (signal: AbortSignal) => {
    await hooks.before({ kind, backup, database: name }, { signal, warnings });
    const sealer = sealerOf(session, task.encryption);
    await link.sayBusy(); // A snapshot keeps this thread busy for as long as it is large.
    const prepared = await database.prepare({
      backup,
      frameBytes: sealer?.frameBytes,
      signal,
      onNotice: (code, message) => warnings.addPlain(code, message),
    });
    // A server of an earlier release does not know what a range is.
    const range = way.connection.version < WAL_VERSION ? undefined : prepared.range;
    return { ...prepared, range, level: task.compressionLevel, sealer };
  };
  return await sendBackup(session, { link, warnings, parent: null, prepare });
}

type RestoreAction = Extract<ClientDatabaseTask["action"], { readonly type: "restore" }>;

async function restore(
  session: WorkerSession,
  link: JobLink,
  { task, database, action, ...way }: JobParts & { readonly action: RestoreAction },
): Promise<WorkerResult> {
  const { backup, target, tablespaces } = action;
  const places = new AllowedPlaces(session.runtime.files, task.allow);
  if (target === null) places.requireOwn(database.path);
  else places.require(target);
  for (const { to } of tablespaces) places.require(to);
  const warnings = new WarningQueue();
  const streams = streamsOf(task.database);
  await link.send({ type: "restore-database", database: task.database.name, backup, streams });
  const start = await expect(session, link, "restore-start");
  session.setBackup(start.backup);
  await link.sayBusy(); // So may the log of the database that is replaced.
  const consumer = await database.restorer({
    target,
    tablespaces,
    places,
    recovery: recoveryOf(task, action, start.range),
    signal: session.signal,
    onWarning: warnings.add,
  });
  await link.sayBusy(false);
  try {
    await offerStreams(session, link, { ...way, streams, confirmed: start.streams });
    const { totalFiles, totalBytes } = start;
    const options = {
      link,
      opener: openerOf(session, task.encryption),
      totals: { totalFiles, totalBytes },
    };
    const result = streams > 1 && consumer instanceof CommandRestorer
      ? await receiveStreams(session, consumer, { ...options, streams })
      : await receiveRestore(session, consumer, { ...options, warnings, incomplete: () => false });
    return { ...result, backup: start.backup };
  } catch (error) {
    consumer.abort();
    throw error;
  }
}

/** @throws AgentError `usage` for a target that the backup cannot be recovered to */
function recoveryOf(
  { walCommand }: ClientDatabaseTask,
  { recovery }: RestoreAction,
  end: BackupEnd | null,
): string | null {
  if (recovery === null) return null;
  if (end !== null) requireReachable(recovery, end);
  const cluster = end === null ? "" : ` --system ${end.system}`;
  return recoverySettings(recovery, { restoreCommand: `${walCommand}${cluster} "%f" "%p"` });
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

function kindOf(session: WorkerSession, task: ClientDatabaseTask): DatabaseKind {
  const { database } = task;
  const { name, job } = session.identity;
  const { runtime } = session;
  if (database.kind === "postgresql") return new PostgresDatabase(runtime, database);
  const spool = { directory: task.spool, client: name, job };
  if (database.kind === "command") return new CommandDatabase(session, database, spool);
  return new SqliteDatabase(runtime.files, database, spool);
}
