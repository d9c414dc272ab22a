// The server's side of a file-system job's connections: Fig. 4 and Fig. 4A in parallel, then the
// channel policy of the client decides which channel carries the records.
//
// The connections of Fig. 4 are watched while Fig. 4A takes its time: a client whose process ended
// would else be waited for as one whose storage is late.

import {
  type Address,
  AgentError,
  type Conn,
  connectFileSystem,
  connectStorage,
  type Fallback,
  type Fig4Connections,
  REJOIN_VERSION,
  setupFallback,
  StorageError,
  type StorageGroup,
  toErrorRecord,
  type UnusableGroup,
} from "../../transport/mod.ts";
import type { ClientEntry } from "../config/mod.ts";
import { JobLink, type LinkConns, type WorkerSession } from "../job/mod.ts";

export interface FilesystemLinkOptions {
  readonly client: ClientEntry;
  readonly group: StorageGroup | UnusableGroup;
  /** Which way this side moves records. */
  readonly direction: "send" | "receive";
  readonly prove: (conn: Conn) => Promise<void>;
}

/** A link, the channel that carries its records, and why it is not the preferred one. */
export interface OpenedLink {
  readonly link: JobLink;
  readonly network: Fig4Connections;
  readonly channel: "storage" | "network";
  readonly fallback: Fallback | null;
  /** False when the policy forbids the network. */
  readonly mayFallBack: boolean;
}

/** Between two tries for the storage channel while `wait` lasts. */
const RETRY_PAUSE_MS = 500;

/** @throws AgentError `refused` | `timeout` | `reset` | `mismatch` | `auth` | `failed` */
export async function openFilesystemLink(
  session: WorkerSession,
  options: FilesystemLinkOptions,
): Promise<OpenedLink> {
  const { client } = options;
  const both = new AbortController();
  const signal = AbortSignal.any([session.signal, both.signal]);
  const storing = tryStorage(session, options, signal);
  storing.catch(() => {}); // Taken below.
  try {
    const network = await connectFileSystem(session.flow(signal), {
      client: networkAddress(client, client.port),
      identity: session.identity,
    }).catch((error) => {
      throw withClientHint(error, client);
    });
    const link = networkLink(session, network);
    try {
      const storage = await link.meanwhile((gone) => {
        gone.addEventListener("abort", () => both.abort(), { once: true });
        return storing;
      });
      return { link, network, ...chooseChannel(session, { link, storage, options }) };
    } catch (error) {
      await link.fail(toErrorRecord(error));
      throw error;
    }
  } catch (error) {
    both.abort(error);
    throw error;
  }
}

interface Found {
  readonly link: JobLink;
  /** What `tryStorage` found. */
  readonly storage: number | Fallback | null;
  readonly options: FilesystemLinkOptions;
}

/** @throws StorageError when the policy wants the storage only */
function chooseChannel(
  session: WorkerSession,
  { link, storage, options: { client, direction } }: Found,
): Pick<OpenedLink, "channel" | "fallback" | "mayFallBack"> {
  const mayFallBack = client.channel !== "storage-only";
  if (typeof storage === "number") {
    link.attachStorage(session.layer.conn(storage), {
      side: "server",
      direction,
      mayFallBack,
      lost: session.storageLost,
      onFallback: session.fellBack,
    });
    return { channel: "storage", fallback: null, mayFallBack };
  }
  if (storage !== null) {
    if (!mayFallBack) throw new StorageError(storage);
    session.fellBack(storage);
  }
  return { channel: "network", fallback: storage, mayFallBack };
}

/** A link over the connections that Fig. 4 made. */
export function networkLink(session: WorkerSession, network: Fig4Connections): JobLink {
  const link = new JobLink(connsOf(session, network), {
    signal: session.signal,
    clock: session.runtime.clock,
    numbered: network.version >= REJOIN_VERSION,
  });
  link.watchNetwork();
  return link;
}

/** The STP descriptor, or why there is none (null: the policy wants none). */
export async function tryStorage(
  session: WorkerSession,
  options: Pick<FilesystemLinkOptions, "client" | "group" | "prove">,
  signal: AbortSignal,
): Promise<number | Fallback | null> {
  const { client, group } = options;
  if (client.channel === "network-only") {
    session.flow().trace.skipped("4A", "132-146", "channel: network-only");
    return null;
  }
  if ("unusable" in group) {
    session.flow().trace.skipped("4A", "132-146", group.unusable.detail);
    return group.unusable;
  }
  const { clock } = session.runtime;
  const endMs = clock.monotonicMs() + client.waitMs;
  const { storageLost } = session;
  const flow = session.flow(AbortSignal.any([signal, storageLost]));
  while (true) {
    try {
      return await connectStorage(flow, {
        client: networkAddress(client, client.port + 1),
        identity: session.identity,
        group,
        prove: options.prove,
      });
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError)) throw error;
      if (storageLost.aborted) return { reason: "server_stg_lost", detail: error.message };
      const fallback = setupFallback(error, "server");
      if (isPermanent(error, fallback) || clock.monotonicMs() >= endMs) return fallback;
      await clock.sleep(RETRY_PAUSE_MS, { signal });
    }
  }
}

/** What another try cannot mend: one host says that it cannot, or refuses. */
function isPermanent(error: AgentError, { reason }: Fallback): boolean {
  if (error instanceof StorageError) return reason !== "no_endpoint";
  return error.code === "mismatch" || error.code === "auth";
}

/** The streams of the connections that Fig. 4 made. */
export function connsOf(
  { layer }: WorkerSession,
  { control, errors }: Fig4Connections,
): LinkConns {
  return {
    control: layer.conn(control),
    errors: errors === null ? null : layer.conn(errors),
  };
}

export function networkAddress(client: ClientEntry, port: number): Address {
  return { family: "AF_INET", address: client.address, port };
}

/** A client that does not answer is the most usual trouble: say where we looked. */
function withClientHint(error: unknown, client: ClientEntry): unknown {
  if (!(error instanceof AgentError)) return error;
  if (error.code !== "refused" && error.code !== "timeout" && error.code !== "unreachable") {
    return error;
  }
  // What was found stands behind the address, which is said here already.
  const found = error.message.replace(/^Cannot connect to "[^"]*": /, "");
  return new AgentError(
    "unreachable",
    `Cannot reach client "${client.name}" at ${client.address}:${client.port}: ${found}`,
    { hint: "Start `agent --role client` there, and check `address` and `port`.", cause: error },
  );
}
