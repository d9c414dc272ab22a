// A file-system job on the client's worker thread. The server initiates it: the main thread has
// accepted the connections of Fig. 4 and relays them; the set-up of Fig. 4A runs here beside them.

import {
  acceptStorage,
  AgentError,
  assert,
  fromErrorRecord,
  toErrorRecord,
} from "../../transport/mod.ts";
import {
  type ApplicationWarning,
  FilesystemRestorer,
  makesIncomplete,
  produceFilesystem,
  scanFilesystem,
} from "../application/mod.ts";
import {
  type ClientFilesystemTask,
  finishLink,
  groupOf,
  JobLink,
  type LinkDocument,
  type Prove,
  SCAN_LIMIT_MS,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { decodeRedirects, receiveRestore, requireRestoreAllowed } from "./receive_restore.ts";
import { sendBackup, WarningQueue } from "./send_backup.ts";

type Request = Extract<LinkDocument, { type: "backup-filesystem" | "restore-filesystem" }>;

export async function runClientFilesystem(
  session: WorkerSession,
  task: ClientFilesystemTask,
  prove: Prove,
): Promise<WorkerResult> {
  const settled = new AbortController();
  const storage = acceptStorageChannel(session, { task, prove, settled: settled.signal });
  const control = await session.relayed("control");
  const errors = session.identity.connections === 2 ? await session.relayed("errors") : null;
  const link = new JobLink(
    {
      control: session.layer.conn(control.descriptor),
      errors: errors === null ? null : session.layer.conn(errors.descriptor),
    },
    { signal: session.signal, clock: session.runtime.clock },
  );
  return await finishLink(session, link, async () => {
    const request = await receiveRequest(session, link);
    if (request.channel === "storage") link.attachData(session.layer.conn(await storage));
    else settled.abort();
    storage.catch(() => {}); // On the network channel nobody needs it.
    session.running(request.type);
    await link.send(session.ownSteps());
    if (request.type === "backup-filesystem") return await backUp(session, link, { task, request });
    return await restore(session, link, { task, request });
  });
}

interface StorageChannelOptions {
  readonly task: ClientFilesystemTask;
  readonly prove: Prove;
  /** Fires when the server chose the network. */
  readonly settled: AbortSignal;
}

/** Serves set-ups of Fig. 4A until one succeeds: the server may try again while it waits. */
async function acceptStorageChannel(
  session: WorkerSession,
  { task, prove, settled }: StorageChannelOptions,
): Promise<number> {
  const signal = AbortSignal.any([session.signal, settled]);
  while (true) {
    const { descriptor, setup } = await session.relayed("storage-setup", signal);
    assert(setup !== null, "a storage set-up carries its message");
    const access = task.stgs[setup.message.name] ?? { unusable: "it is not configured here" };
    try {
      return await acceptStorage(session.flow(signal), {
        descriptor,
        identity: session.identity,
        message: setup.message,
        group: groupOf(access),
        random: session.runtime.random,
        prove,
      });
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError)) throw error;
      session.warn({ code: "storage", message: toErrorRecord(error).message, path: null });
    }
  }
}

async function receiveRequest(session: WorkerSession, link: JobLink): Promise<Request> {
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "backup-filesystem") return document;
    if (document.type === "restore-filesystem") return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot start the job: the server asked for nothing known");
}

interface Asked<R extends Request["type"]> {
  readonly task: ClientFilesystemTask;
  readonly request: Extract<Request, { type: R }>;
}

async function backUp(
  session: WorkerSession,
  link: JobLink,
  { task, request }: Asked<"backup-filesystem">,
): Promise<WorkerResult> {
  const { files, clock } = session.runtime;
  const { paths, exclude } = request;
  const warnings = new WarningQueue();
  const totals = scanFilesystem({ files, paths, exclude, clock, limitMs: SCAN_LIMIT_MS });
  const producer = produceFilesystem({
    files,
    paths,
    exclude,
    level: task.compressionLevel,
    onWarning: warnings.add,
    signal: session.signal,
  });
  return await sendBackup(session, producer, { link, warnings, totals });
}

async function restore(
  session: WorkerSession,
  link: JobLink,
  { task, request }: Asked<"restore-filesystem">,
): Promise<WorkerResult> {
  requireRestoreAllowed(task.allowRestore, request.target);
  const warnings = new WarningQueue();
  let incomplete = false;
  const onWarning = (warning: ApplicationWarning) => {
    incomplete ||= makesIncomplete(warning.code);
    warnings.add(warning);
  };
  const consumer = new FilesystemRestorer({
    files: session.runtime.files,
    target: request.target,
    overwrite: request.overwrite,
    redirects: decodeRedirects(request.redirects),
    onWarning,
  });
  const { totalFiles, totalBytes } = request;
  return await receiveRestore(session, consumer, {
    link,
    warnings,
    totals: { totalFiles, totalBytes },
    incomplete: () => incomplete,
  });
}
