// A file-system job on the server's worker thread: Fig. 4 and Fig. 4A, then a backup or a restore.

import { assert } from "../../transport/mod.ts";
import {
  finishLink,
  groupOf,
  type LinkDocument,
  type Prove,
  type ServerFilesystemTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { VaultReader } from "../vault/mod.ts";
import { type OpenedLink, openFilesystemLink } from "./filesystem_link.ts";
import { outliveCuts } from "./outlive_cuts.ts";
import { receiveBackup } from "./receive_backup.ts";
import { encodeRedirects, sendRestore } from "./send_restore.ts";

/** Fig. 4 and 4A, then a backup or a restore. */
export async function runServerFilesystem(
  session: WorkerSession,
  task: ServerFilesystemTask,
  prove: Prove,
): Promise<WorkerResult> {
  const { action, client } = task;
  // What can be refused without the client is refused before it is bothered.
  const place = { directory: task.vault, files: session.runtime.files };
  using reader = action.type === "restore" ? VaultReader.open(place) : null;
  const planned = action.type === "restore" && reader !== null
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
    if (action.type === "backup") return await backup(session, task, action, opened);
    assert(planned !== null, "a restore is planned before it starts");
    const { plan } = planned;
    session.setBackup(action.backup);
    await link.send({
      type: "restore-filesystem",
      channel,
      fallback,
      mayFallBack,
      target: action.target,
      overwrite: action.overwrite,
      redirects: encodeRedirects(plan.redirects),
      totalFiles: plan.files,
      totalBytes: plan.bytes,
    });
    const restored = await sendRestore(session, link, planned);
    return { ...restored, backup: action.backup };
  });
}

async function backup(
  session: WorkerSession,
  task: ServerFilesystemTask,
  action: Extract<ServerFilesystemTask["action"], { type: "backup" }>,
  opened: OpenedLink,
): Promise<WorkerResult> {
  const { paths, exclude } = action;
  const { link, channel, fallback, mayFallBack } = opened;
  session.setBackup(action.backup);
  const message: LinkDocument = {
    type: "backup-filesystem",
    channel,
    fallback,
    mayFallBack,
    paths: [...paths],
    exclude: [...exclude],
  };
  await link.send(message);
  return await receiveBackup(session, {
    link,
    vault: task.vault,
    label: {
      backup: action.backup,
      client: task.client.name,
      kind: "filesystem",
      database: null,
      level: "full",
      paths,
      exclude,
      startedMs: session.runtime.clock.wallMs(),
    },
  });
}
