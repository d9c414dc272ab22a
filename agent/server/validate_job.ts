// Looks whether the channels to a client work, on the server's worker thread: sets them up as a
// file-system job does (Fig. 4, then Fig. 4A with the proof of every volume), asks the client what
// it saw, and gives them up. No data moves.
//
// Fig. 4A comes after Fig. 4 here, so that each finding stands for itself.

import {
  AgentError,
  connectFileSystem,
  type Fallback,
  fromErrorRecord,
  toErrorRecord,
} from "../../transport/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import type { ChannelReport } from "../control/daemon.ts";
import {
  finishLink,
  groupOf,
  type JobLink,
  type Prove,
  type ServerValidateTask,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { networkAddress, networkLink, tryStorage } from "./filesystem_link.ts";

const NOTHING_MOVED: WorkerResult = { status: "ok", backup: null, files: null, bytes: null };

/** What the client answered. */
interface Told {
  readonly version: string;
  readonly storage: Fallback | null;
  readonly wallMs?: number | undefined;
}

export async function runServerValidate(
  session: WorkerSession,
  task: ServerValidateTask,
  prove: Prove,
): Promise<WorkerResult> {
  const { client } = task;
  try {
    const { link, certificate } = await connectNetwork(session, client);
    return await finishLink(session, link, async () => {
      const storage = await link.meanwhile((gone) => {
        return lookAtStorage(session, {
          task,
          prove,
          signal: AbortSignal.any([session.signal, gone]),
        });
      });
      const askedMs = session.runtime.clock.wallMs();
      await link.send({ type: "validate", storage: typeof storage === "number" });
      const told = await receiveAnswer(session, link);
      // Both ends close at once; without that the endpoints would be shown as aborted.
      if (typeof storage === "number") await session.layer.conn(storage).close();
      session.validated({
        clientVersion: told.version,
        clockAheadMs: clockAheadMs(told.wallMs, askedMs, session.runtime.clock.wallMs()),
        channels: [
          networkWorks(client, certificate),
          ...storageReport(client, typeof storage === "number" ? told.storage : storage),
        ],
      });
      return NOTHING_MOVED;
    });
  } catch (error) {
    session.throwIfCancelled();
    if (!(error instanceof AgentError)) throw error;
    session.validated({
      clientVersion: null,
      clockAheadMs: null,
      channels: [networkFails(client, error), ...storageReport(client, NOT_TRIED)],
    });
    return NOTHING_MOVED;
  }
}

/**
 * How far a clock is off that was read between two readings of ours: 0 when it lies between them.
 * @returns null when it was not told
 */
export function clockAheadMs(
  theirs: number | undefined,
  beforeMs: number,
  afterMs: number,
): number | null {
  if (theirs === undefined) return null;
  return Math.max(theirs - afterMs, 0) + Math.min(theirs - Math.floor(beforeMs), 0);
}

/** A link over Fig. 4's connections, and the name in the client's certificate, if TLS has one. */
async function connectNetwork(
  session: WorkerSession,
  client: ClientEntry,
): Promise<{ readonly link: JobLink; readonly certificate: string | undefined }> {
  const network = await connectFileSystem(session.flow(), {
    client: networkAddress(client, client.port),
    identity: session.identity,
  });
  const certificate = session.layer.conn(network.control).peerName;
  return { link: networkLink(session, network), certificate };
}

interface Look {
  readonly task: ServerValidateTask;
  readonly prove: Prove;
  readonly signal: AbortSignal;
}

/** One try, also when the policy does not want the storage: the group is configured. */
async function lookAtStorage(
  session: WorkerSession,
  { task: { client, stg }, prove, signal }: Look,
): Promise<number | Fallback | null> {
  if (client.stg === null) return null;
  const once: ClientEntry = { ...client, channel: "prefer-storage", waitMs: 0 };
  const options = { client: once, group: groupOf(stg, "server", session.runtime), prove };
  return await tryStorage(session, options, signal);
}

async function receiveAnswer(session: WorkerSession, link: JobLink): Promise<Told> {
  const message = await link.receive();
  if (message.kind === "document") {
    const { document } = message;
    if (document.type === "validated") return document;
    if (document.type === "error") throw fromErrorRecord(document.error);
  }
  session.throwIfCancelled();
  throw new AgentError("reset", "Cannot validate: the client answered nothing known");
}

/** Why the storage was not looked at when the network does not work. */
const NOT_TRIED = { reason: "not_tried", detail: "it is set up over the network" };

function networkWorks(client: ClientEntry, certificate: string | undefined): ChannelReport {
  const count = `${client.connections} connection${client.connections === 1 ? "" : "s"}`;
  const guard = certificate === undefined ? "without TLS" : `TLS, certificate of "${certificate}"`;
  const detail = `${count} to ${client.address}:${client.port}, ${guard}`;
  return { channel: "network", usable: true, reason: null, detail, stg: null };
}

function networkFails(client: ClientEntry, error: AgentError): ChannelReport {
  const { code, message } = toErrorRecord(error);
  const address = `${client.address}:${client.port}`;
  const detail = message.includes(address) ? message : `${address}: ${message}`;
  return { channel: "network", usable: false, reason: code, detail, stg: null };
}

/** Nothing when the client has no group. */
function storageReport(
  { stg }: ClientEntry,
  failure: { readonly reason: string; readonly detail: string } | null,
): ChannelReport[] {
  if (stg === null) return [];
  if (failure === null) {
    const detail = "each host read on every volume what the other wrote";
    return [{ channel: "storage", usable: true, reason: null, detail, stg }];
  }
  return [{ channel: "storage", usable: false, ...failure, stg }];
}
