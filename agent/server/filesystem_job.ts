// A file-system job on the server's worker thread: Fig. 4 and Fig. 4A, then a backup or a restore.
//
// A backup builds on the latest one of its source, if there is one and none but a full one is
// wanted: then the client asks for that one's rows and sends what differs. It goes on from one that
// was cut, if that counts from the same state (begin_backup.ts).

import { AgentError, assert, RESUME_VERSION, SELECTION_VERSION } from "../../transport/mod.ts";
import {
  finishLink,
  groupOf,
  type LinkDocument,
  type Prove,
  type ServerFilesystemTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { BackupStart } from "../media/mod.ts";
import { chooseParent, VaultReader, VaultWriter } from "../vault/mod.ts";
import { isEverything, selectionOf, type SourceSelection } from "../source_selection.ts";
import { beginBackup } from "./begin_backup.ts";
import { type OpenedLink, openFilesystemLink } from "./filesystem_link.ts";
import { outliveCuts } from "./outlive_cuts.ts";
import { receiveBackup } from "./receive_backup.ts";
import { encodeRedirects, type PlannedRestore, sendRestore } from "./send_restore.ts";
import { surveyTarget } from "./survey_target.ts";

/** Fig. 4 and 4A, then a backup or a restore. */
export async function runServerFilesystem(
  session: WorkerSession,
  task: ServerFilesystemTask,
  prove: Prove,
): Promise<WorkerResult> {
  const { action, client } = task;
  // What can be refused without the client is refused before it is bothered.
  const place = { directory: task.vault, files: session.runtime.files };
  using reader = VaultReader.open(place);
  const planned = action.type === "restore"
    ? { reader, plan: reader.planRestore(action.backup, action.include) }
    : null;
  const group = groupOf(task.stg, "server", session.runtime);
  const direction = action.type === "backup" ? "receive" : "send";
  const opened = await openFilesystemLink(session, { client, group, direction, prove });
  const { link, network } = opened;
  outliveCuts(session, link, { client, network });
  session.running(action.type === "backup" ? "backup-filesystem" : "restore-filesystem");
  return await finishLink(session, link, async () => {
    await link.send(session.ownSteps());
    if (action.type === "backup") return await backup(session, task, action, { ...opened, reader });
    assert(planned !== null, "a restore is planned before it starts");
    session.setBackup(action.backup);
    return { ...await restore(session, { ...opened, planned }, action), backup: action.backup };
  });
}

type RestoreAction = Extract<ServerFilesystemTask["action"], { type: "restore" }>;

/** What differs from a restore of everything is found out first; a dry run ends with that. */
async function restore(
  session: WorkerSession,
  { planned, link, ...opened }: OpenedLink & { readonly planned: PlannedRestore },
  { target, overwrite, dryRun }: RestoreAction,
): Promise<Omit<WorkerResult, "backup">> {
  const { plan } = planned;
  const { channel, fallback, mayFallBack } = opened;
  const common = {
    channel,
    fallback,
    mayFallBack,
    target,
    redirects: encodeRedirects(plan.redirects),
    totalFiles: plan.files,
    totalBytes: plan.bytes,
  } as const;
  if (!dryRun && overwrite !== "changed") {
    await link.send({ type: "restore-filesystem", ...common, overwrite });
    return await sendRestore(session, link, planned);
  }
  await link.send({ type: "survey-filesystem", ...common, overwrite, dryRun });
  const surveyed = await surveyTarget(session, link, { plan, dryRun });
  const { verdicts, wanted: { files, bytes } } = surveyed.survey;
  if (!dryRun) return { ...await sendRestore(session, link, { ...planned, surveyed }), verdicts };
  return { status: verdicts.blocked.files > 0 ? "incomplete" : "ok", files, bytes, verdicts };
}

async function backup(
  session: WorkerSession,
  task: ServerFilesystemTask,
  action: Extract<ServerFilesystemTask["action"], { type: "backup" }>,
  opened: OpenedLink & { readonly reader: VaultReader },
): Promise<WorkerResult> {
  const { paths, full } = action;
  const { link, network, channel, fallback, mayFallBack, reader } = opened;
  const selection = selectionOf(action);
  requireUnderstood(selection, network.version, task.client.name);
  session.setBackup(action.backup);
  const { name: client, fullEvery } = task.client;
  const startedMs = session.runtime.clock.wallMs();
  const chain = reader.chainOf({ client, kind: "filesystem", database: null, paths, ...selection });
  const [last] = chain;
  const parent = chooseParent({ full, fullEvery, chain, nowMs: startedMs });
  const label: BackupStart = {
    backup: action.backup,
    client,
    kind: "filesystem",
    database: null,
    level: parent === null ? "full" : "incremental",
    needs: parent === null ? [] : chain.map((one) => one.backup),
    paths,
    ...selection,
    startedMs,
  };
  const place = { directory: task.vault, files: session.runtime.files };
  using vault = VaultWriter.open(place);
  const mayResume = network.version >= RESUME_VERSION;
  using begun = await beginBackup(session, { place, reader, vault, label, link, mayResume });
  const { writer, parent: source, resume } = begun;
  const message: LinkDocument = {
    type: "backup-filesystem",
    channel,
    fallback,
    mayFallBack,
    backup: action.backup,
    paths: [...paths],
    ...selection,
    exclude: [...selection.exclude],
    incremental: source !== null,
    expected: last === undefined ? null : { files: last.files, bytes: last.bytes },
    resume,
  };
  await link.send(message);
  return await receiveBackup(session, { link, writer, parent: source, mustAsk: resume === null });
}

/** @throws AgentError `mismatch` when the client would leave out something else */
function requireUnderstood(selection: SourceSelection, version: number, client: string): void {
  if (version >= SELECTION_VERSION || isEverything(selection)) return;
  throw new AgentError(
    "mismatch",
    `Cannot back up "${client}": its agent speaks version ${version} of the job protocol, need ` +
      `${SELECTION_VERSION} for what is to be left out`,
    { hint: "Install this release on the client, or back up without rules." },
  );
}
