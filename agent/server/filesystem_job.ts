// A file-system job on the server's worker thread: Fig. 4 and Fig. 4A, then a backup or a restore.
//
// A backup builds on the latest one of its source, if there is one and none but a full one is
// wanted: then the client asks for that one's rows and sends what differs.

import { assert } from "../../transport/mod.ts";
import {
  finishLink,
  groupOf,
  type JobLink,
  type LinkDocument,
  type Prove,
  type ServerFilesystemTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { encodeParentRows } from "../application/mod.ts";
import { chooseParent, type RestorePlan, VaultReader } from "../vault/mod.ts";
import { type OpenedLink, openFilesystemLink } from "./filesystem_link.ts";
import { outliveCuts } from "./outlive_cuts.ts";
import { ParentSource } from "./parent_source.ts";
import { receiveBackup } from "./receive_backup.ts";
import { encodeRedirects, sendRestore } from "./send_restore.ts";
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
  const group = groupOf(task.stg, "server");
  const direction = action.type === "backup" ? "receive" : "send";
  const opened = await openFilesystemLink(session, { client, group, direction, prove });
  const { link, network, channel, fallback, mayFallBack } = opened;
  outliveCuts(session, link, { client, network });
  session.running(action.type === "backup" ? "backup-filesystem" : "restore-filesystem");
  return await finishLink(session, link, async () => {
    await link.send(session.ownSteps());
    if (action.type === "backup") return await backup(session, task, action, { ...opened, reader });
    assert(planned !== null, "a restore is planned before it starts");
    const { plan } = planned;
    session.setBackup(action.backup);
    const { target, overwrite, dryRun } = action;
    const common = { channel, fallback, mayFallBack, target, overwrite };
    const totals = { totalFiles: plan.files, totalBytes: plan.bytes };
    if (!dryRun && overwrite !== "changed") {
      await sendRestoreRequest(link, plan, { ...common, ...totals });
      return { ...await sendRestore(session, link, planned), backup: action.backup };
    }
    await link.send({ type: "survey-filesystem", ...common, dryRun, ...totals });
    const surveyed = await surveyTarget(session, link, { plan, dryRun });
    const { verdicts, wanted: { files, bytes } } = surveyed.survey;
    if (dryRun) {
      const status = verdicts.blocked.files > 0 ? "incomplete" : "ok";
      return { status, backup: action.backup, files, bytes, verdicts };
    }
    await sendRestoreRequest(link, plan, { ...common, totalFiles: files, totalBytes: bytes });
    const restored = await sendRestore(session, link, { ...planned, surveyed });
    return { ...restored, backup: action.backup, verdicts };
  });
}

type RestoreRequest = Extract<LinkDocument, { type: "restore-filesystem" }>;

function sendRestoreRequest(
  link: JobLink,
  plan: RestorePlan,
  request: Omit<RestoreRequest, "type" | "redirects">,
): Promise<void> {
  const redirects = encodeRedirects(plan.redirects);
  return link.send({ type: "restore-filesystem", redirects, ...request });
}

function parentRows(reader: VaultReader, parent: string): ParentSource {
  return new ParentSource(encodeParentRows(reader.parentRows(parent)));
}

async function backup(
  session: WorkerSession,
  task: ServerFilesystemTask,
  action: Extract<ServerFilesystemTask["action"], { type: "backup" }>,
  opened: OpenedLink & { readonly reader: VaultReader },
): Promise<WorkerResult> {
  const { paths, exclude, full } = action;
  const { link, channel, fallback, mayFallBack, reader } = opened;
  session.setBackup(action.backup);
  const { name: client, fullEvery } = task.client;
  const startedMs = session.runtime.clock.wallMs();
  const chain = reader.chainOf({ client, kind: "filesystem", database: null, paths, exclude });
  const parent = chooseParent({ full, fullEvery, chain, nowMs: startedMs });
  using source = parent === null ? null : parentRows(reader, parent.backup);
  const message: LinkDocument = {
    type: "backup-filesystem",
    channel,
    fallback,
    mayFallBack,
    paths: [...paths],
    exclude: [...exclude],
    incremental: parent !== null,
  };
  await link.send(message);
  return await receiveBackup(session, {
    link,
    vault: task.vault,
    parent: source,
    label: {
      backup: action.backup,
      client,
      kind: "filesystem",
      database: null,
      level: parent === null ? "full" : "incremental",
      needs: parent === null ? [] : chain.map((one) => one.backup),
      paths,
      exclude,
      startedMs,
    },
  });
}
