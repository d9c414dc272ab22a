// A file-system job on the client's worker thread. The server initiates it: the main thread has
// accepted the connections of Fig. 4 and relays them; the set-up of Fig. 4A runs here beside them.

import { AgentError, fromErrorRecord, setupFallback, toErrorRecord } from "../../transport/mod.ts";
import {
  type ApplicationWarning,
  FilesystemRestorer,
  makesIncomplete,
  produceFilesystem,
  scanFilesystem,
  TargetSurvey,
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
import { askedDetails } from "../asked_details.ts";
import { requireBackupAllowed } from "../confinement.ts";
import { selectionOf } from "../source_selection.ts";
import { answerCutOffer, resumptionOf } from "./answer_cut_offer.ts";
import { AllowedPlaces } from "./allowed_places.ts";
import { BackupHooks } from "./backup_hooks.ts";
import { openerOf, sealerOf } from "./job_encryption.ts";
import { outliveCuts } from "./outlive_cuts.ts";
import { answerValidation } from "./answer_validation.ts";
import { decodeRedirects, receiveRestore, type ReceiveRestoreOptions } from "./receive_restore.ts";
import { ParentInbox } from "./parent_inbox.ts";
import { resolveLinks } from "./resolve_links.ts";
import { type PreparedBackup, sendBackup, WarningQueue } from "./send_backup.ts";
import { surveyTarget } from "./survey_target.ts";
import { StorageAcceptance } from "./storage_acceptance.ts";

type Request = Extract<
  LinkDocument,
  { type: "backup-filesystem" | "restore-filesystem" | "survey-filesystem" }
>;
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
  const { peerName = null } = session.layer.conn(control.descriptor);
  const hooks = new BackupHooks(session, task.hooks);
  return await hooks.around(() =>
    finishLink(session, link, async () => {
      const request = await receiveRequest(session, link, task);
      if (request.type === "validate") {
        return await answerValidation(session, { link, storage, server: request.storage });
      }
      if (request.channel === "network") storage.abandon();
      else await attachStorage(session, { link, request, storage });
      if (request.fallback !== null) session.fellBack(request.fallback);
      session.running(
        request.type === "backup-filesystem" ? "backup-filesystem" : "restore-filesystem",
      );
      outliveCuts(session, link, [control, errors]);
      await link.send(session.ownSteps());
      if (request.type === "backup-filesystem") {
        const { files } = session.runtime;
        const paths = request.paths.map((path) => resolveLinks(files, path));
        audited(session, { peerName, request }, () => {
          requireBackupAllowed(task.allow, paths, "this client's");
        });
        return await backUp(session, link, { task, request, hooks });
      }
      const places = new AllowedPlaces(session.runtime.files, task.allow);
      audited(session, { peerName, request }, () => {
        places.require(request.target, request.overwrite);
      });
      const warnings = new RestoreWarnings();
      if (request.type === "restore-filesystem") {
        return await restore(session, link, { task, request, warnings });
      }
      return await surveyThenRestore(session, link, { task, request, warnings });
    })
  );
}

interface Asked {
  readonly peerName: string | null;
  readonly request: Request;
}

/** Notes what the server asks for, and whether `requireAllowed` lets it. */
function audited(session: WorkerSession, asked: Asked, requireAllowed: () => void): void {
  const { peerName, request } = asked;
  const entry = { action: request.type, details: askedDetails(request) };
  try {
    requireAllowed();
  } catch (error) {
    session.audit(peerName, { ...entry, result: toErrorRecord(error).message });
    throw error;
  }
  session.audit(peerName, { ...entry, result: "allowed" });
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

async function receiveRequest(
  session: WorkerSession,
  link: JobLink,
  task: ClientFilesystemTask,
): Promise<Asking> {
  while (true) {
    const message = await link.receive();
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "backup-filesystem") return document;
    if (document.type === "restore-filesystem") return document;
    if (document.type === "survey-filesystem") return document;
    if (document.type === "validate") return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "cut-offer") {
      const goesOn = answerCutOffer(session, document, task.encryption);
      await link.send({ type: "cut-answer", goesOn });
    } else if (document.type === "trace") session.addPeerSteps(document.steps);
    else break;
  }
  throw new AgentError("reset", "Cannot start the job: the server asked for nothing known");
}

interface BackupAsked {
  readonly task: ClientFilesystemTask;
  readonly request: Extract<Request, { type: "backup-filesystem" }>;
}

async function backUp(
  session: WorkerSession,
  link: JobLink,
  { task, request, hooks }: BackupAsked & { readonly hooks: BackupHooks },
): Promise<WorkerResult> {
  const { files, clock } = session.runtime;
  const { paths, incremental, resume } = request;
  const selection = selectionOf(request);
  const warnings = new WarningQueue();
  const parent = incremental ? new ParentInbox(link) : null;
  const prepare = async (signal: AbortSignal) => {
    const { backup } = request;
    await hooks.before({ kind: "filesystem", backup, database: null }, { signal, warnings });
    const totals = totalsOf(session, request);
    const sealer = sealerOf(session, task.encryption);
    const producer = produceFilesystem({
      files,
      paths,
      ...selection,
      frameBytes: sealer?.frameBytes,
      parent: parent ?? undefined,
      ...resumptionOf(resume),
      clock,
      onWarning: warnings.add,
      signal: session.signal,
    });
    return { producer, totals, level: task.compressionLevel, sealer };
  };
  return await sendBackup(session, { link, warnings, parent, prepare });
}

/** What the progress bar takes for all; null for both when it is not known. */
function totalsOf(
  { runtime: { files, clock } }: WorkerSession,
  request: BackupAsked["request"],
): PreparedBackup["totals"] {
  const { paths, incremental, expected } = request;
  // How much has changed is known only at the end.
  if (incremental) return { totalFiles: null, totalBytes: null };
  if (expected !== null) return { totalFiles: expected.files, totalBytes: expected.bytes };
  return scanFilesystem({
    files,
    paths,
    ...selectionOf(request),
    clock,
    limitMs: SCAN_LIMIT_MS,
  });
}

/** Warnings of a restore, and whether one of them makes it incomplete. */
class RestoreWarnings extends WarningQueue {
  incomplete = false;

  readonly take = (warning: ApplicationWarning): void => {
    this.incomplete ||= makesIncomplete(warning.code);
    this.add(warning);
  };
}

type SurveyRequest = Extract<Request, { type: "survey-filesystem" }>;

/** Looks at the target, then restores what the server sends for it, unless this is a dry run. */
async function surveyThenRestore(
  session: WorkerSession,
  link: JobLink,
  { task, request, warnings }: {
    readonly task: ClientFilesystemTask;
    readonly request: SurveyRequest;
    readonly warnings: RestoreWarnings;
  },
): Promise<WorkerResult> {
  const { target, overwrite, dryRun, totalFiles, totalBytes } = request;
  const { files } = session.runtime;
  {
    using survey = new TargetSurvey({ files, target, overwrite, onWarning: warnings.take });
    const totals = { totalFiles, totalBytes };
    await surveyTarget(session, survey, { link, warnings, totals, dryRun });
  }
  if (dryRun) {
    const status = warnings.incomplete ? "incomplete" : "ok";
    return { status, backup: null, files: null, bytes: null };
  }
  // How much comes is the server's to tell: it knows what links need besides.
  const totals = { totalFiles: null, totalBytes: null };
  return await restore(session, link, { task, request: { ...request, ...totals }, warnings });
}

interface RestoreHow {
  readonly task: ClientFilesystemTask;
  readonly request:
    & Pick<SurveyRequest, "target" | "overwrite" | "redirects">
    & ReceiveRestoreOptions["totals"];
  readonly warnings: RestoreWarnings;
}

async function restore(
  session: WorkerSession,
  link: JobLink,
  { task, request, warnings }: RestoreHow,
): Promise<WorkerResult> {
  const { target, overwrite, redirects, totalFiles, totalBytes } = request;
  const { files, clock, process } = session.runtime;
  const consumer = new FilesystemRestorer({
    files,
    target,
    overwrite,
    redirects: decodeRedirects(redirects),
    onWarning: warnings.take,
    second: process.processors > 1 ? { clock, ask: () => session.writer() } : undefined,
  });
  return await receiveRestore(session, consumer, {
    link,
    warnings,
    opener: openerOf(session, task.encryption),
    totals: { totalFiles, totalBytes },
    incomplete: () => warnings.incomplete,
  });
}
