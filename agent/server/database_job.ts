// A database job on the server's worker thread: Fig. 5 from step 228, then whatever the client asks
// for. Control, records and errors all travel on the one connection that the flow made.

import { AgentError, connectBack } from "../../transport/mod.ts";
import {
  finishLink,
  groupOf,
  JobLink,
  type LinkDocument,
  type Prove,
  type ServerDatabaseTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { EVERYTHING } from "../source_selection.ts";
import { VaultReader, VaultWriter } from "../vault/mod.ts";
import type { BackupEnd } from "../postgresql/mod.ts";
import { type BackupRange, formatLsn } from "../wal/mod.ts";
import { archiveWal } from "./archive_wal.ts";
import { awaitLog } from "./await_log.ts";
import { receiveBackup } from "./receive_backup.ts";
import { sendRestore } from "./send_restore.ts";

/** Fig. 5 from step 228, then whatever the client asks for, all on one connection. */
export async function runServerDatabase(
  session: WorkerSession,
  task: ServerDatabaseTask,
  prove: Prove,
): Promise<WorkerResult> {
  const { client } = task;
  const connection = await connectBack(session.flow(), {
    client: task.address,
    identity: session.identity,
    group: client.channel === "network-only" ? null : groupOf(task.stg, "server"),
    storageOnly: client.channel === "storage-only",
    prove,
    lost: session.storageLost,
  });
  session.settleDatabase(connection);
  const conn = session.layer.conn(connection.descriptor);
  const link = new JobLink({ control: conn, errors: null }, {
    signal: session.signal,
    clock: session.runtime.clock,
  });
  return await finishLink(session, link, async () => {
    await link.send(session.ownSteps());
    const request = await receiveRequest(session, link);
    if (request.type === "archive-wal") {
      session.running("archive-wal");
      if (connection.mechanism === "network") link.watchNetwork();
      const { database } = request;
      return await archiveWal(session, link, { vault: task.vault, client: client.name, database });
    }
    session.running(request.type);
    if (request.type === "restore-database") {
      return await restoreDatabase(session, { task, link, request });
    }
    session.setBackup(task.newBackup);
    await link.send({ type: "started", backup: task.newBackup });
    using vault = VaultWriter.open({ directory: task.vault, files: session.runtime.files });
    using writer = vault.begin({
      backup: task.newBackup,
      client: client.name,
      kind: request.kind,
      database: request.database,
      level: "full",
      needs: [],
      paths: [request.path],
      ...EVERYTHING,
      startedMs: session.runtime.clock.wallMs(),
    });
    const place = { vault: task.vault, client: client.name, database: request.database };
    return await receiveBackup(session, {
      link,
      writer,
      parent: null,
      mustAsk: false,
      awaitLog: (range) => awaitLog(session, range, place),
    });
  });
}

interface DatabaseRestore {
  readonly task: ServerDatabaseTask;
  readonly link: JobLink;
  readonly request: Extract<LinkDocument, { type: "restore-database" }>;
}

async function restoreDatabase(
  session: WorkerSession,
  { task, link, request }: DatabaseRestore,
): Promise<WorkerResult> {
  using reader = VaultReader.open({ directory: task.vault, files: session.runtime.files });
  const found = reader.backup(request.backup);
  if (found.database !== request.database || found.client !== task.client.name) {
    throw new AgentError(
      "usage",
      `Cannot restore "${found.backup}" as database "${request.database}" of ` +
        `"${task.client.name}": it holds "${found.database ?? "files"}" of "${found.client}"`,
      { hint: "Pick a backup of that database with `agent backups`." },
    );
  }
  session.setBackup(found.backup);
  const plan = reader.planRestore(found.backup, []);
  await link.send({
    type: "restore-start",
    backup: found.backup,
    totalFiles: plan.files,
    totalBytes: plan.bytes,
    range: endOf(reader.range(found.backup)),
  });
  const restored = await sendRestore(session, link, { plan, reader });
  return { ...restored, backup: found.backup };
}

/** What a client that recovers by a log must know of the backup's own. */
function endOf(range: BackupRange | null): BackupEnd | null {
  if (range === null) return null;
  const { system, stopLsn, stopMs } = range;
  return { system, stopLsn: formatLsn(stopLsn), stopMs };
}

type DatabaseRequest = Extract<
  LinkDocument,
  { type: "backup-database" | "restore-database" | "archive-wal" }
>;

function isRequest(document: LinkDocument): document is DatabaseRequest {
  const { type } = document;
  return type === "backup-database" || type === "restore-database" || type === "archive-wal";
}

async function receiveRequest(
  session: WorkerSession,
  link: JobLink,
): Promise<DatabaseRequest> {
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (isRequest(document)) return document;
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot start the database job: the client asked for nothing");
}
