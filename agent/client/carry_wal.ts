// Carries the write-ahead log of a database on the client's worker: takes what the main thread asks
// for (wal_desk.ts), one thing after the other, and between requests what will be asked for next.
// The connection is made once and stands, so that a push runs no set-up.

import { createHash } from "node:crypto";
import { AgentError, WAL_VERSION, withDeadline } from "../../transport/mod.ts";
import type {
  EncryptionPart,
  JobLink,
  WalAction,
  WalAnswer,
  WalRequest,
  WorkerResult,
  WorkerSession,
} from "../job/mod.ts";
import { compressFrameAside } from "../media/mod.ts";
import { FetchAhead } from "./fetch_ahead.ts";
import { openerOf, sealerOf } from "./job_encryption.ts";
import { WAL_AHEAD_KEEP_MS } from "./limits.ts";
import { LogLink } from "./log_link.ts";
import { PushAhead } from "./push_ahead.ts";
import { SealedLog } from "./sealed_log.ts";

export interface CarryWalOptions {
  readonly database: string;
  /** Data directory of the cluster. */
  readonly data: string;
  readonly encryption: EncryptionPart;
  /** Version of the job protocol. */
  readonly version: number;
  /** zstd level. */
  readonly level: number;
}

/** Answers requests until the connection ends. @throws AgentError why it ended */
export async function carryWal(
  session: WorkerSession,
  link: JobLink,
  { database, data, encryption, version, level }: CarryWalOptions,
): Promise<WorkerResult> {
  if (version < WAL_VERSION) throw olderServer();
  await link.send({ type: "archive-wal", database });
  const log = new LogLink(session, link);
  await log.ready();
  session.running("archive-wal");
  const sealed = new SealedLog({
    log,
    files: session.runtime.files,
    data,
    sealer: sealerOf(session, encryption),
    opener: () => openerOf(session, encryption),
  });
  const carrier = new Carrier(session, { link: log, log: sealed, level });
  for (;;) {
    const { id, action } = await carrier.next(link.over);
    session.answerWal(id, await carrier.carry(action));
  }
}

class Carrier {
  readonly #session: WorkerSession;
  readonly #link: LogLink;
  readonly #log: SealedLog;
  readonly #level: number;
  readonly #pushes: PushAhead;
  readonly #fetches: FetchAhead;

  constructor(
    session: WorkerSession,
    { link, log, level }: {
      readonly link: LogLink;
      readonly log: SealedLog;
      readonly level: number;
    },
  ) {
    this.#session = session;
    this.#link = link;
    this.#log = log;
    this.#level = level;
    this.#pushes = new PushAhead({ files: session.runtime.files, log, level });
    this.#fetches = new FetchAhead(log);
  }

  /** The next request; meanwhile does what the one after it will ask for. */
  async next(over: AbortSignal): Promise<WalRequest> {
    for (;;) {
      const request = this.#session.walRequests.take();
      if (request !== null) return request;
      if (await this.#pushes.step() || await this.#fetches.step()) continue;
      await this.#link.unlessItEnds(this.#rest(over));
    }
  }

  /** @throws AgentError when the link ended; whatever else fails is the answer */
  async carry(action: WalAction): Promise<WalAnswer> {
    if (action.type === "get") return await this.#fetches.get(action.system, action.name);
    if (action.type === "push-own") return await this.#pushes.push(action);
    const { system, name, bytes } = action;
    const frame = await compressFrameAside(bytes, this.#level);
    const sha256 = () => createHash("sha256").update(bytes).digest("hex");
    return await this.#log.push({ system, name, frame, bytes: bytes.length, sha256 });
  }

  /** Waits for a request; what nobody asks for is given up. */
  async #rest(over: AbortSignal): Promise<void> {
    const { walRequests, runtime } = this.#session;
    if (!this.#pushes.holds && !this.#fetches.holds) return await walRequests.some(over);
    const deadline = { timeoutMs: WAL_AHEAD_KEEP_MS, action: "take a request", signal: over };
    try {
      await withDeadline(runtime.clock, deadline, (signal) => walRequests.some(signal));
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "timeout" || over.aborted) throw error;
      this.#pushes.forget();
      this.#fetches.forget();
    }
  }
}

function olderServer(): AgentError {
  return new AgentError(
    "mismatch",
    "Cannot archive a write-ahead log: the server's agent is of an earlier release",
    { hint: "Install this release on the server." },
  );
}
