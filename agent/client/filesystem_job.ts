// A file-system job on the client's worker thread. The server initiates it: the main thread has
// accepted the connections of Fig. 4 and relays them; the set-up of Fig. 4A runs here beside them.

import { AgentError, fromErrorRecord, setupFallback } from "../../transport/mod.ts";
import {
  type ApplicationWarning,
  canGoOn,
  FilesystemRestorer,
  makesIncomplete,
  type OpenMember,
  produceFilesystem,
  scanFilesystem,
} from "../application/mod.ts";
import {
  type ClientFilesystemTask,
  finishLink,
  JobLink,
  type LinkDocument,
  type Prove,
  SCAN_LIMIT_MS,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { decodeIndexRows } from "../media/mod.ts";
import { outliveCuts } from "./outlive_cuts.ts";
import { answerValidation } from "./answer_validation.ts";
import { decodeRedirects, receiveRestore, requireRestoreAllowed } from "./receive_restore.ts";
import { ParentInbox } from "./parent_inbox.ts";
import { sendBackup, WarningQueue } from "./send_backup.ts";
import { StorageAcceptance } from "./storage_acceptance.ts";

type Request = Extract<LinkDocument, { type: "backup-filesystem" | "restore-filesystem" }>;
type Asking = Request | Extract<LinkDocument, { type: "validate" }>;

export async function runClientFilesystem(
  session: WorkerSession,
  task: ClientFilesystemTask,
  prove: Prove,
): Promise<WorkerResult> {
  const storage = new StorageAcceptance(session, { task, prove });
  const control = await session.relayed("control");
  const errors = session.identity.connections === 2 ? await session.relayed("errors") : null;
  const link = new JobLink(
    {
      control: session.layer.conn(control.descriptor),
      errors: errors === null ? null : session.layer.conn(errors.descriptor),
    },
    { signal: session.signal, clock: session.runtime.clock, numbered: task.mayRejoin },
  );
  link.watchNetwork();
  return await finishLink(session, link, async () => {
    const request = await receiveRequest(session, link);
    if (request.type === "validate") {
      return await answerValidation(session, { link, storage, server: request.storage });
    }
    if (request.channel === "network") storage.abandon();
    else await attachStorage(session, { link, request, storage });
    if (request.fallback !== null) session.fellBack(request.fallback);
    session.running(request.type);
    outliveCuts(session, link, [control, errors]);
    await link.send(session.ownSteps());
    if (request.type === "backup-filesystem") return await backUp(session, link, { task, request });
    return await restore(session, link, { task, request });
  });
}

interface Attachment {
  readonly link: JobLink;
  readonly request: Request;
  readonly storage: StorageAcceptance;
}

/** The server counts on the storage channel: if it is lost here already, the job falls back. */
async function attachStorage(
  session: WorkerSession,
  { link, request, storage }: Attachment,
): Promise<void> {
  const options = {
    side: "client",
    direction: request.type === "backup-filesystem" ? "send" : "receive",
    mayFallBack: request.mayFallBack,
    lost: session.storageLost,
    onFallback: session.fellBack,
  } as const;
  try {
    link.attachStorage(session.layer.conn(await storage.settle()), options);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    session.throwIfCancelled();
    link.attachStorage(setupFallback(error, "client"), options);
  }
}

async function receiveRequest(session: WorkerSession, link: JobLink): Promise<Asking> {
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "backup-filesystem") return document;
    if (document.type === "restore-filesystem") return document;
    if (document.type === "validate") return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "open-member") {
      const member = decodeMember(document.row, document.tarOffset);
      const goesOn = canGoOn(session.runtime.files, member);
      await link.send({ type: "member-goes-on", goesOn });
      continue;
    }
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot start the job: the server asked for nothing known");
}

/** @throws AgentError `damaged` */
function decodeMember(row: string, tarOffset: number): OpenMember {
  const { rows: [only] } = decodeIndexRows(Uint8Array.fromBase64(row));
  if (only === undefined) {
    throw new AgentError("damaged", "Cannot go on with a member: found no row of it, need one");
  }
  return { row: only, tarOffset };
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
  const { paths, exclude, incremental, resumeAt, openMember } = request;
  const warnings = new WarningQueue();
  // How much has changed is known only at the end.
  const totals = incremental
    ? { totalFiles: null, totalBytes: null }
    : scanFilesystem({ files, paths, exclude, clock, limitMs: SCAN_LIMIT_MS });
  const parent = incremental ? new ParentInbox(link) : null;
  const producer = produceFilesystem({
    files,
    paths,
    exclude,
    level: task.compressionLevel,
    parent: parent ?? undefined,
    tarOffset: resumeAt ?? undefined,
    openMember: openMember === null || resumeAt === null
      ? undefined
      : decodeMember(openMember, resumeAt),
    clock,
    onWarning: warnings.add,
    signal: session.signal,
  });
  return await sendBackup(session, producer, { link, warnings, totals, parent });
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
