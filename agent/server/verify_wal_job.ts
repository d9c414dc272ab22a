// Verification of archived logs on the server's worker thread: each archive's ranges and gaps, up
// to where each kept backup can be recovered, and with `data` the content of every file. An archive
// that is gone is looked at like an empty one, for the backups that had it.

import { AgentError } from "../../transport/mod.ts";
import type { ServerVerifyWalTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import type { WalArchiveView } from "../control/mod.ts";
import { type VaultPlace, VaultReader } from "../vault/mod.ts";
import { examineArchive, WalArchive } from "../wal/mod.ts";
import type { BackupRange, WalOwner } from "../wal/mod.ts";

/** @throws AgentError `damaged` when a backup lacks something; `not_found` for no archive at all */
export async function runServerVerifyWal(
  session: WorkerSession,
  task: ServerVerifyWalTask,
): Promise<WorkerResult> {
  const place = { directory: task.vault, files: session.runtime.files };
  using reader = VaultReader.open(place);
  session.running("verify-wal");
  const wanted = ownersOf(reader, place).filter(({ client, database }) =>
    (task.owner.client ?? client) === client && (task.owner.database ?? database) === database
  );
  const reports: WalArchiveView[] = [];
  const done = { files: 0, bytes: 0 };
  for (const owner of wanted) {
    const had = rangesOf(reader, owner).filter(({ range }) => range.archived);
    const there = WalArchive.systems({ ...place, ...owner });
    for (const system of new Set([...there, ...had.map(({ range }) => range.system)])) {
      const report = await examineArchive(WalArchive.open({ ...place, ...owner, system }), {
        names: { ...owner, system },
        data: task.data,
        backups: () => rangesOf(reader, owner).filter(({ range }) => range.system === system),
        onStep: async (files, bytes) => {
          session.throwIfCancelled();
          const counts = { files: done.files + files, bytes: done.bytes + bytes };
          session.progress({ phase: "verifying", ...counts, totalFiles: null, totalBytes: null });
          await session.runtime.clock.yield();
        },
        onEncrypted: (files) => {
          const message =
            `${files} files of the log of "${owner.client}/${owner.database}" are encrypted: ` +
            "their bytes were checked as they are stored, their content was not decrypted";
          session.warn({ code: "encrypted", message, path: null });
        },
      });
      done.files += report.files;
      done.bytes += report.bytes;
      reports.push(report);
      session.examined([report]);
    }
  }
  if (reports.length === 0) throw noArchive(task.owner);
  const bad = reports.filter(({ findings }) => findings.length > 0);
  if (bad.length > 0) throw damaged(bad);
  return { status: "ok", backup: null, ...done };
}

/** Everyone who has archives, and who has kept backups that say that there was one. */
function ownersOf(reader: VaultReader, place: VaultPlace): WalOwner[] {
  const owners = WalArchive.owners(place);
  for (const { kind, client, database } of reader.backups()) {
    if (kind !== "postgresql" || database === null) continue;
    if (owners.some((one) => one.client === client && one.database === database)) continue;
    if (rangesOf(reader, { client, database }).some(({ range }) => range.archived)) {
      owners.push({ client, database });
    }
  }
  return owners;
}

/** What the kept backups of a database say that they need; those that say nothing are left out. */
function rangesOf(
  reader: VaultReader,
  { client, database }: WalOwner,
): { readonly backup: string; readonly range: BackupRange }[] {
  return reader.backups().flatMap(({ backup, kind, ...of }) => {
    if (kind !== "postgresql" || of.client !== client || of.database !== database) return [];
    const range = reader.range(backup);
    return range === null ? [] : [{ backup, range }];
  });
}

function damaged(bad: readonly WalArchiveView[]): AgentError {
  const count = bad.reduce((sum, { findings }) => sum + findings.length, 0);
  const names = bad.map(({ client, database }) => `${client}/${database}`).join(", ");
  const first = bad[0]?.findings[0] ?? "";
  const message = `Cannot vouch for the log of "${names}": found ${count} ` +
    `${count === 1 ? "fault" : "faults"}, need none; the first: ${first}`;
  return new AgentError("damaged", message, {
    hint: "Make a new backup of the database: it needs no log from before its own start.",
  });
}

function noArchive({ client, database }: ServerVerifyWalTask["owner"]): AgentError {
  const whose = `${client ?? "any client"}/${database ?? "any database"}`;
  const message = `Cannot verify the log of ${whose}: nothing was archived, need an archive`;
  return new AgentError("not_found", message, {
    hint: "Set `archive_command` of the PostgreSQL server to `agent wal push %p --database NAME`.",
  });
}
