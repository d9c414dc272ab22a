// Begins a file-system backup in the vault: where a cut one of the same source was kept that fits,
// there, and else from nothing. When it was cut within a large file, the client is asked whether
// that is still the same. What fails in the vault here costs only what it would have saved.

import { AgentError, fromErrorRecord } from "../../transport/mod.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { JobLink, WorkerSession } from "../job/mod.ts";
import { type CutPrefixes, encodeIndexRows, type MediaLabel } from "../media/mod.ts";
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
  readonly label: MediaLabel;
  readonly link: JobLink;
  /** False when the client knows nothing of cut backups. */
  readonly mayResume: boolean;
}

/** A backup that was begun; the caller disposes of it. */
export interface BegunBackup extends Disposable {
  readonly writer: BackupWriter;
  /** What the client compares with; null when it sends everything. */
  readonly parent: ParentSource | null;
  /** Tar bytes that are there already; null when it begins from nothing. */
  readonly resumeAt: number | null;
  /** The row of the member in which they end, encoded; null when none is open there. */
  readonly openMember: string | null;
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
  const source = parent === undefined
    ? null
    : owned.use(new ParentSource(reader.parentRows(parent)));
  return begun(owned.move(), { writer, parent: source, resumeAt: null, openMember: null });
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
  const openMember = await askForRest(session, link, prefixes);
  const prefix = openMember === null ? prefixes.closed : prefixes.open?.prefix ?? null;
  if (prefix === null) return null;
  const from = { cut: media, prefix };
  return await attempt(session, async () => {
    using owned = new DisposableStack();
    const steps = reader.draftTree(label, label.needs.at(-1) ?? null, from);
    const draft = owned.use(await inSteps(session, steps));
    const made = vault.goOn(cut.backup, from, label);
    if (made === null) return null;
    const writer = owned.use(made);
    const parent = owned.use(new ParentSource(reader.draftRows(draft, label.paths)));
    const message = `goes on from the backup of ${new Date(cut.label.startedMs).toISOString()} ` +
      `that was cut: ${writer.mediaBytes} bytes of its media stay`;
    session.warn({ code: "resumed", message, path: null });
    return begun(owned.move(), { writer, parent, resumeAt: prefix.tarBytes, openMember });
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

/** @returns the row of the open member, encoded, when the client can send the rest of it */
async function askForRest(
  session: WorkerSession,
  link: JobLink,
  { open }: CutPrefixes,
): Promise<string | null> {
  if (open === null) return null;
  const row = encodeIndexRows([open.row]).toBase64();
  await link.send({ type: "open-member", row, tarOffset: open.prefix.tarBytes });
  for (;;) {
    const message = await link.receive();
    session.throwIfCancelled();
    if (message.kind !== "document") break;
    const { document } = message;
    if (document.type === "member-goes-on") return document.goesOn ? row : null;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type !== "trace") break;
    session.addPeerSteps(document.steps);
  }
  throw new AgentError("reset", "Cannot begin the backup: found no answer, need it");
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
