// Keeps the write-ahead log of a client's database, on the worker of the connection that carries
// it: one request after the other, for as long as the client holds the connection.
//
// Invariants: a push is answered when its file is durable; what fails of one request is the answer
// to it, and the next may follow; "absent" is the archive's own word.

import { AgentError, AssertionFailure, toErrorRecord } from "../../transport/mod.ts";
import {
  type JobLink,
  type LinkDocument,
  receivePieces,
  sendPieces,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import { operatingError } from "../operating_error.ts";
import { WalArchive } from "../wal/mod.ts";

export interface ArchiveWalOptions {
  readonly vault: string;
  readonly client: string;
  readonly database: string;
}

type Request = Extract<LinkDocument, { type: "wal-push" | "wal-get" }>;

/** Answers requests until the client ends the connection. @throws AgentError why it ended */
export async function archiveWal(
  session: WorkerSession,
  link: JobLink,
  options: ArchiveWalOptions,
): Promise<WorkerResult> {
  await link.send({ type: "wal-ready" });
  const keeper = new LogKeeper(session, link, options);
  for (;;) {
    const message = await link.receive();
    const document = message.kind === "document" ? message.document : null;
    if (document?.type !== "wal-push" && document?.type !== "wal-get") {
      const found = document?.type ?? message.kind;
      throw new AgentError("reset", `Cannot go on with the log: found "${found}" out of turn`);
    }
    await keeper.serve(document);
  }
}

class LogKeeper {
  readonly #session: WorkerSession;
  readonly #link: JobLink;
  readonly #options: ArchiveWalOptions;
  /** By system identifier; an archive remembers which directories it made durable. */
  readonly #archives = new Map<string, WalArchive>();
  #files = 0;
  #bytes = 0;

  constructor(session: WorkerSession, link: JobLink, options: ArchiveWalOptions) {
    this.#session = session;
    this.#link = link;
    this.#options = options;
  }

  async serve(request: Request): Promise<void> {
    const doing = request.type === "wal-push" ? this.#push(request) : this.#get(request);
    await doing;
    const counts = { files: this.#files, bytes: this.#bytes, totalFiles: null, totalBytes: null };
    this.#session.progress({ phase: "writing", ...counts });
  }

  async #push(request: Extract<Request, { type: "wal-push" }>): Promise<void> {
    const { system, name, bytes, compressedBytes } = request;
    const compressed = await receivePieces(compressedBytes, () => this.#link.receive());
    const answer = await this.#answerOf(`archive "${name}"`, async () => {
      const outcome = await this.#archive(system).store(name, { compressed, bytes });
      return { type: "wal-pushed", outcome };
    });
    if (answer.type === "wal-pushed" && answer.outcome === "stored") {
      this.#files += 1;
      this.#bytes += bytes;
    }
    await this.#link.send(answer);
  }

  async #get({ system, name }: Extract<Request, { type: "wal-get" }>): Promise<void> {
    let frame: Uint8Array | null = null;
    const answer = await this.#answerOf(`fetch "${name}"`, () => {
      frame = this.#archive(system ?? this.#onlySystem()).read(name);
      return frame === null
        ? { type: "wal-absent" }
        : { type: "wal-file", compressedBytes: frame.length };
    });
    await this.#link.send(answer);
    if (frame !== null) await sendPieces(this.#link, frame);
  }

  async #answerOf(
    doing: string,
    work: () => LinkDocument | Promise<LinkDocument>,
  ): Promise<LinkDocument> {
    try {
      return await work();
    } catch (thrown) {
      if (thrown instanceof AssertionFailure) throw thrown;
      return { type: "wal-refused", error: toErrorRecord(operatingError(thrown, doing)) };
    }
  }

  #archive(system: string): WalArchive {
    const known = this.#archives.get(system);
    if (known !== undefined) return known;
    const { vault: directory, client, database } = this.#options;
    const { files } = this.#session.runtime;
    const archive = WalArchive.open({ files, directory, client, database, system });
    this.#archives.set(system, archive);
    return archive;
  }

  #onlySystem(): string {
    const { vault: directory, client, database } = this.#options;
    const { files } = this.#session.runtime;
    const [only, ...others] = WalArchive.systems({ files, directory, client, database });
    if (only !== undefined && others.length === 0) return only;
    const found = only === undefined ? "no cluster" : `clusters ${[only, ...others].join(", ")}`;
    const message = `Cannot tell which log of "${database}" is meant: found ${found} in the ` +
      "archive, need one";
    throw new AgentError("mismatch", message, {
      hint: "Name the cluster with --system: `pg_controldata` shows its identifier.",
    });
  }
}
