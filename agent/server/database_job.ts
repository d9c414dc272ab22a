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
import { askedDetails } from "../asked_details.ts";
import { streamIndexOf } from "../application/mod.ts";
import { EVERYTHING } from "../source_selection.ts";
import { type RestorePlan, VaultReader, VaultWriter } from "../vault/mod.ts";
import { connectStreams } from "./connect_streams.ts";
import type { BackupEnd } from "../postgresql/mod.ts";
import { type BackupRange, formatLsn } from "../wal/mod.ts";
import { archiveWal } from "./archive_wal.ts";
import { awaitLog } from "./await_log.ts";
import { receiveBackup } from "./receive_backup.ts";
import { sendRestore } from "./send_restore.ts";
import { sendStreams } from "./send_streams.ts";

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
    group: client.channel === "network-only" ? null : groupOf(task.stg, "server", session.runtime),
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
  if (connection.mechanism === "network") link.watchNetwork();
  return await finishLink(session, link, async () => {
    await link.send(session.ownSteps());
    const request = await receiveRequest(session, link, client.name);
    if (request.type === "archive-wal") {
      session.running("archive-wal");
      const { database } = request;
      return await archiveWal(session, link, { vault: task.vault, client: client.name, database });
    }
    session.running(request.type);
    const { streams } = request;
    const connect = () => connectStreams(session, link, { connection, streams, prove });
    if (request.type === "restore-database") {
      return await restoreDatabase(session, { task, link, request, connect });
    }
    session.setBackup(task.newBackup);
    await link.send({ type: "started", backup: task.newBackup, streams });
    await connect();
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
      awaitLog: (range, signal) => awaitLog({ runtime: session.runtime, signal }, range, place),
    });
  });
}

interface DatabaseRestore {
  readonly task: ServerDatabaseTask;
  readonly link: JobLink;
  readonly request: Extract<LinkDocument, { type: "restore-database" }>;
  /** Makes the connections of further streams. */
  readonly connect: () => Promise<void>;
}

async function restoreDatabase(
  session: WorkerSession,
  { task, link, request, connect }: DatabaseRestore,
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
  const streams = found.kind === "command" ? countStreams(plan) : 1;
  if (streams !== request.streams) throw otherStreams(request, streams);
  await link.send({
    type: "restore-start",
    backup: found.backup,
    streams,
    totalFiles: plan.files,
    totalBytes: plan.bytes,
    range: endOf(reader.range(found.backup)),
  });
  await connect();
  const isWhole = found.kind === "command";
  const restored = streams > 1
    ? await sendStreams(session, link, {
      backup: found,
      streams,
      reader,
      totals: { totalFiles: plan.files, totalBytes: plan.bytes },
    })
    : await sendRestore(session, link, { plan, reader, isWhole });
  return { ...restored, backup: found.backup };
}

/** Streams of the command whose parts these are: the members of several say theirs. */
function countStreams(plan: RestorePlan): number {
  const decoder = new TextDecoder();
  let count = 1;
  for (const { path } of plan.members()) {
    count = Math.max(count, (streamIndexOf(decoder.decode(path)) ?? 0) + 1);
  }
  return count;
}

function otherStreams(request: DatabaseRestore["request"], streams: number): AgentError {
  const { backup, database } = request;
  const message = `Cannot restore "${backup}" as "${database}": it holds ${streams} streams, ` +
    `need ${request.streams} as the client has it`;
  return new AgentError("usage", message, {
    hint: `Set \`streams: ${streams}\` for the database in the client's configuration.`,
  });
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
  client: string,
): Promise<DatabaseRequest> {
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (isRequest(document)) {
      const details = askedDetails(document);
      session.audit(client, { action: document.type, result: "asked", details });
      return document;
    }
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot start the database job: the client asked for nothing");
}
