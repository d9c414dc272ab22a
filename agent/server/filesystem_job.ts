// A file-system job on the server's worker thread: Fig. 4 and Fig. 4A, then a backup or a restore.
//
// A backup builds on the latest one of its source, if there is one and none but a full one is
// wanted: then the client asks for that one's rows and sends what differs. It goes on from one that
// was cut, if that counts from the same state (begin_backup.ts).

import { assert, RESUME_VERSION } from "../../transport/mod.ts";
import {
  finishLink,
  groupOf,
  type LinkDocument,
  type Prove,
  type ServerFilesystemTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { MediaLabel } from "../media/mod.ts";
import { chooseParent, VaultReader, VaultWriter } from "../vault/mod.ts";
import { beginBackup } from "./begin_backup.ts";
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
  opened: OpenedLink & { readonly reader: VaultReader },
): Promise<WorkerResult> {
  const { paths, exclude, full } = action;
  const { link, network, channel, fallback, mayFallBack, reader } = opened;
  session.setBackup(action.backup);
  const { name: client, fullEvery } = task.client;
  const startedMs = session.runtime.clock.wallMs();
  const chain = reader.chainOf({ client, kind: "filesystem", database: null, paths, exclude });
  const parent = chooseParent({ full, fullEvery, chain, nowMs: startedMs });
  const label: MediaLabel = {
    backup: action.backup,
    client,
    kind: "filesystem",
    database: null,
    level: parent === null ? "full" : "incremental",
    needs: parent === null ? [] : chain.map((one) => one.backup),
    paths,
    exclude,
    startedMs,
  };
  const place = { directory: task.vault, files: session.runtime.files };
  using vault = VaultWriter.open(place);
  const mayResume = network.version >= RESUME_VERSION;
  using begun = await beginBackup(session, { place, reader, vault, label, link, mayResume });
  const { writer, parent: source, resumeAt, openMember } = begun;
  const message: LinkDocument = {
    type: "backup-filesystem",
    channel,
    fallback,
    mayFallBack,
    paths: [...paths],
    exclude: [...exclude],
    incremental: source !== null,
    resumeAt,
    openMember,
  };
  await link.send(message);
  return await receiveBackup(session, { link, writer, parent: source, mustAsk: resumeAt === null });
}
