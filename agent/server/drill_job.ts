// A drill on the server's worker thread: restores a backup, or a sample of it, to a scratch
// directory by the same code as a client's restore, compares all of it, and takes it away again.
//
// The server does it alone: the media are there, and what is to be proved is that they restore. No
// client is disturbed, and one that is gone for ever needs no other. How it went stays with the
// backup; a drill that was cancelled, or had no space, says nothing about the backup. Of an
// encrypted one whose identity nobody hands it, it proves the frames as they are stored.

import { AgentError, freeBytes } from "../../transport/mod.ts";
import type { Consumer } from "../application/mod.ts";
import { FilesystemRestorer, SqliteRestorer, TargetComparer } from "../application/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import { FrameOpener } from "../encryption/mod.ts";
import type { Entry } from "../entry.ts";
import type { ServerDrillTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import { ageFileOf, decompressRecord, isSealed } from "../media/mod.ts";
import type { TarPieces } from "../record.ts";
import {
  type MemberChoice,
  type RestorePlan,
  sampleMembers,
  Scratch,
  scratchOf,
} from "../vault/mod.ts";
import { recordDrill, VaultReader } from "../vault/mod.ts";
import { DrillReport } from "./drill_report.ts";

/** @throws AgentError `damaged` when something differs, `no_space` | `failed` | `cancelled` */
export async function runServerDrill(
  session: WorkerSession,
  task: ServerDrillTask,
): Promise<WorkerResult> {
  const { files, random, clock } = session.runtime;
  const place = { directory: task.vault, files };
  const backup = task.backup;
  session.setBackup(backup);
  session.running("drill");
  const seed = task.seed ?? new DataView(random.bytes(4).buffer).getUint32(0, true);
  const report = new DrillReport(session, backup);
  let failure: unknown = null;
  try {
    await carryOut(session, { task, seed, report });
  } catch (error) {
    failure = error;
  }
  const isTold = failure === null || isAboutBackup(failure);
  if (isTold) {
    const drill = report.result(new Date(clock.wallMs()).toISOString(), failure === null);
    session.drilled(drill);
    recordDrill(place, backup, drill);
  }
  if (failure !== null) throw failure;
  const error = report.error();
  if (error !== null) throw error;
  return { status: "ok", backup, files: report.entries, bytes: report.bytes };
}

interface Drilling {
  readonly task: ServerDrillTask;
  readonly seed: number;
  readonly report: DrillReport;
}

/** Everything but the result: afterwards the scratch directory is gone, whatever happened. */
async function carryOut(
  session: WorkerSession,
  { task, seed, report }: Drilling,
): Promise<void> {
  const { files } = session.runtime;
  const { identityFile } = task;
  using reader = VaultReader.open({ directory: task.vault, files });
  const backup = reader.backup(task.backup);
  const plan = reader.planRestore(backup.backup, []);
  const choice = sampleMembers(plan, task.sample, seed);
  report.begin({ of: plan.files, seed: choice === null ? null : seed });
  const opener = new FrameOpener({ files, identityFile, aead: session.runtime.aead() });
  const parts = { session, reader, plan, choice, report, opener };
  if (identityFile === null && reader.isEncrypted(backup.backup)) {
    report.cannotDecrypt();
    return await proveFrames(parts);
  }
  const parent = task.scratch ?? scratchOf(task.vault);
  const scratch = Scratch.open(files, parent, session.identity.job);
  const { target } = scratch;
  try {
    await restore(parts, makeConsumer(session, { backup, target, report }));
    await compare(parts, { target, xattrs: backup.kind === "filesystem" });
  } finally {
    session.committing(); // However the drill ends, what it restored has to go.
    scratch.remove();
  }
}

interface Parts {
  readonly session: WorkerSession;
  readonly reader: VaultReader;
  readonly plan: RestorePlan;
  readonly choice: MemberChoice | null;
  readonly report: DrillReport;
  readonly opener: FrameOpener;
}

function makeConsumer(
  { runtime }: WorkerSession,
  { backup, target, report }: {
    readonly backup: CatalogBackup;
    readonly target: string;
    readonly report: DrillReport;
  },
): Consumer {
  const { files } = runtime;
  const onWarning = report.onWarning;
  if (backup.kind === "sqlite") {
    // It proves the database by an integrity check before it gives it its name.
    const destination = `${target}${backup.paths[0] ?? "/database"}`;
    return new SqliteRestorer({ files, destination, onWarning });
  }
  return new FilesystemRestorer({ files, target, overwrite: "refuse", redirects: [], onWarning });
}

async function restore(parts: Parts, consumer: Consumer): Promise<void> {
  try {
    await feed(parts, {
      phase: "writing",
      take: (frame) => consumer.feed(frame),
      count: () => consumer.written(),
    });
    consumer.finish();
  } catch (error) {
    consumer.abort();
    throw inDrill(error);
  }
}

async function compare(
  parts: Parts,
  { target, xattrs }: { readonly target: string; readonly xattrs: boolean },
): Promise<void> {
  const { session, plan, choice, report } = parts;
  using comparer = new TargetComparer({
    files: session.runtime.files,
    target,
    expected: chosenEntries(plan, choice),
    isLost: report.isLost,
    xattrs,
    onDifference: report.onDifference,
  });
  const count = () => {
    const looked = comparer.looked();
    report.looked(looked);
    return looked;
  };
  await feed(parts, { phase: "verifying", take: (frame) => comparer.feed(frame), count });
  report.looked(comparer.finish());
}

function* chosenEntries(plan: RestorePlan, choice: MemberChoice | null): Generator<Entry> {
  let index = 0;
  for (const { entry } of plan.members()) {
    if (choice?.has(index++) ?? true) yield entry;
  }
}

interface Feeding {
  readonly phase: "writing" | "verifying";
  readonly take: (frame: TarPieces) => void;
  readonly count: () => { readonly files: number; readonly bytes: number };
}

/** Reads the records of the drill, and lets others run in between. */
async function feed(parts: Parts, { phase, take, count }: Feeding): Promise<void> {
  const { session, reader, plan, choice, report, opener } = parts;
  const totals = { totalFiles: choice?.count ?? plan.files, totalBytes: null };
  for (const record of reader.restoreRecords(plan, report.onLost, choice)) {
    session.throwIfCancelled();
    const pieces = await decompressRecord(await opener.open(record));
    take(pieces);
    freeBytes(record.frame);
    if (pieces.tar !== null) freeBytes(pieces.tar);
    session.progress({ phase, ...count(), ...totals });
    await session.runtime.clock.yield();
  }
}

/** The reader proves each frame by its checksum; what is sealed must be an age file. */
async function proveFrames({ session, reader, plan, choice, report }: Parts): Promise<void> {
  const files = choice?.count ?? plan.files;
  let bytes = 0;
  for (const { frame } of reader.restoreRecords(plan, report.onLost, choice)) {
    session.throwIfCancelled();
    if (isSealed(frame)) ageFileOf(frame);
    bytes += frame.length;
    freeBytes(frame);
    session.progress({ phase: "verifying", files: 0, bytes, totalFiles: files, totalBytes: null });
    await session.runtime.clock.yield();
  }
  report.looked({ files: files - report.lost, bytes });
}

/** A full scratch directory needs another hint than a client's target. */
function inDrill(error: unknown): unknown {
  if (!(error instanceof AgentError) || error.code !== "no_space") return error;
  return new AgentError("no_space", error.message, {
    cause: error,
    hint: "Give `--scratch` a directory with more space, or `--sample` a smaller number.",
  });
}

/** Damage and missing media are; a full disk, a refused directory and a cancellation are not. */
function isAboutBackup(error: unknown): boolean {
  return error instanceof AgentError && error.code === "damaged";
}
