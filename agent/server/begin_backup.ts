// Begins a file-system backup in the vault: where a cut one of the same source was kept that fits,
// there, and else from nothing. The client is asked before: it may encrypt now, and only it knows
// whether a large file in which the backup was cut is still the same. What fails in the vault here
// costs only what it would have saved.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import { encodeParentRows, type PlacedRow } from "../application/mod.ts";
import type { CutAnswer, JobLink, LinkDocument, WorkerSession } from "../job/mod.ts";
import {
  type BackupStart,
  type CutPrefixes,
  encodeIndexRows,
  type MediaPrefix,
} from "../media/mod.ts";
import {
  type BackupWriter,
  chooseCut,
  type CutBackup,
  CutBackups,
  type VaultPlace,
  type VaultReader,
  type VaultWriter,
} from "../vault/mod.ts";
import { ParentSource } from "./parent_source.ts";

export interface BeginOptions {
  readonly place: VaultPlace;
  readonly reader: VaultReader;
  readonly vault: VaultWriter;
  readonly label: BackupStart;
  readonly link: JobLink;
  /** False when the client knows nothing of cut backups. */
  readonly mayResume: boolean;
}

/** A backup that was begun; the caller disposes of it. */
export interface BegunBackup extends Disposable {
  readonly writer: BackupWriter;
  /** What the client compares with; null when it sends everything. */
  readonly parent: ParentSource | null;
  /** Where it goes on with a cut one; null when it begins from nothing. */
  readonly resume: Extract<LinkDocument, { type: "backup-filesystem" }>["resume"];
}

/** @throws AgentError `no_space` | `failed` | `cancelled` */
export async function beginBackup(
  session: WorkerSession,
  options: BeginOptions,
): Promise<BegunBackup> {
  const { place, reader, vault, label, mayResume } = options;
  const cuts = new CutBackups(place);
  const cut = mayResume ? chooseCut(cuts.list(), label) : null;
  const resumed = cut === null ? null : await goOn(session, options, { cuts, cut });
  if (resumed !== null) return resumed;
  using owned = new DisposableStack();
  const writer = owned.use(vault.begin(label));
  const parent = label.needs.at(-1);
  const source = parent === undefined ? null : owned.use(sourceOf(reader.parentRows(parent)));
  return begun(owned.move(), { writer, parent: source, resume: null });
}

async function goOn(
  session: WorkerSession,
  { reader, vault, label, link }: BeginOptions,
  { cuts, cut }: { readonly cuts: CutBackups; readonly cut: CutBackup },
): Promise<BegunBackup | null> {
  using media = cuts.open(cut.backup);
  if (media === null) return null;
  const prefixes = await attempt(session, () => inSteps(session, media.findPrefixes()));
  if (prefixes === null) return null;
  const place = await choosePlace(session, link, prefixes);
  if (place === null) return null;
  const { prefix, openMember } = place;
  const from = { cut: media, prefix };
  return await attempt(session, async () => {
    using owned = new DisposableStack();
    const steps = reader.draftTree(label, label.needs.at(-1) ?? null, from);
    const draft = owned.use(await inSteps(session, steps));
    const made = vault.goOn(cut.backup, from, label);
    if (made === null) return null;
    const writer = owned.use(made);
    const parent = owned.use(sourceOf(reader.draftRows(draft, label.paths)));
    const message = `goes on from the backup of ${new Date(cut.label.startedMs).toISOString()} ` +
      `that was cut: ${writer.mediaBytes} bytes of its media stay`;
    session.warn({ code: "resumed", message, path: null });
    const resume = { tarOffset: prefix.tarBytes, openMember };
    return begun(owned.move(), { writer, parent, resume });
  });
}

/** @returns null, with a warning, when `body` fails */
async function attempt<T>(
  session: WorkerSession,
  body: () => Promise<T | null>,
): Promise<T | null> {
  try {
    return await body();
  } catch (error) {
    session.throwIfCancelled();
    if (!(error instanceof AgentError || error instanceof SystemError)) throw error;
    const message = `cannot go on from the backup that was cut: ${error.message}`;
    session.warn({ code: "not_resumed", message, path: null });
    return null;
  }
}

/** Where a cut backup is gone on with. */
interface ResumePlace {
  readonly prefix: MediaPrefix;
  /** The row of the member that is open there, encoded. */
  readonly openMember: string | null;
}

/** Asks the client how far it can go on with it. @returns null when that is nowhere */
async function choosePlace(
  session: WorkerSession,
  link: JobLink,
  { closed, open }: CutPrefixes,
): Promise<ResumePlace | null> {
  if (closed === null && open === null) return null;
  const row = open === null ? null : encodeIndexRows([open.row]).toBase64();
  const openMember = open === null || row === null
    ? null
    : { row, tarOffset: open.prefix.tarBytes };
  await link.send({ type: "cut-offer", openMember });
  const goesOn = await receiveAnswer(session, link);
  if (goesOn === "in-member" && open !== null) return { prefix: open.prefix, openMember: row };
  if (goesOn !== "no") return closed === null ? null : { prefix: closed, openMember: null };
  const message = "cannot go on from the backup that was cut: the client encrypts now";
  session.warn({ code: "not_resumed", message, path: null });
  return null;
}

async function receiveAnswer(session: WorkerSession, link: JobLink): Promise<CutAnswer> {
  for (;;) {
    const message = await link.receive();
    session.throwIfCancelled();
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "cut-answer") return document.goesOn;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot begin the backup: found no answer, need it");
}

function sourceOf(rows: Iterable<PlacedRow>): ParentSource {
  return new ParentSource(encodeParentRows(rows));
}

function begun(owned: DisposableStack, parts: Omit<BegunBackup, keyof Disposable>): BegunBackup {
  return { ...parts, [Symbol.dispose]: () => owned.dispose() };
}

/** Runs a generator to its end; connections and other jobs go on in between. */
async function inSteps<T>(session: WorkerSession, steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await session.runtime.clock.yield();
    session.throwIfCancelled();
  }
}
