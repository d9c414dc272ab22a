// The sending half of a restore of several streams, on the server: each stream has a plan of its
// own, and its next record is sent when the client has room for it. So a stream whose program is
// slow, or waits for another one, holds up no other, on one connection as on several.

import { AgentError, Change, freeBytes, fromErrorRecord } from "../../transport/mod.ts";
import { streamPath } from "../application/mod.ts";
import type { CatalogBackup } from "../catalog/mod.ts";
import {
  type JobLink,
  sendForResult,
  STREAM_RECORDS_MAX,
  type WorkerResult,
  type WorkerSession,
} from "../job/mod.ts";
import type { RestoreRecord } from "../record.ts";
import type { VaultReader } from "../vault/mod.ts";
import { reportClient } from "./report_client.ts";
import { damagedMember } from "./send_restore.ts";

export interface SendStreamsOptions {
  readonly backup: CatalogBackup;
  readonly streams: number;
  readonly reader: VaultReader;
  readonly totals: { readonly totalFiles: number; readonly totalBytes: number };
}

/** How much of it, and how it went. */
type Restored = Pick<WorkerResult, "status"> & { readonly files: number; readonly bytes: number };

/** @throws AgentError what the client reports, and `reset` | `damaged` | `cancelled` */
export async function sendStreams(
  session: WorkerSession,
  link: JobLink,
  options: SendStreamsOptions,
): Promise<Restored> {
  const wants = new StreamWants(options.streams);
  const result = awaitResult(session, link, { wants, totals: options.totals });
  const streams = plannedStreams(options);
  try {
    return await sendForResult({ clock: session.runtime.clock, result }, async (failed) => {
      const ended = AbortSignal.any([failed, session.signal]);
      let records = 0;
      for (let open = streams.length; open > 0;) {
        const index = await wants.next(ended);
        const stream = streams[index];
        if (stream === undefined || stream.isOver) continue;
        const step = stream.records.next();
        if (step.done === true) {
          stream.isOver = true;
          open -= 1;
          await link.send({ type: "stream-end", stream: index, records: stream.sent });
          continue;
        }
        const { frame } = step.value;
        const record = { ...step.value, sequence: records };
        const release = () => freeBytes(frame);
        await link.sendRestore(record, { signal: failed, lane: index, release });
        stream.sent += 1;
        records += 1;
        session.throwIfCancelled();
        await session.runtime.clock.yield();
      }
      await link.send({ type: "end", records });
    });
  } finally {
    for (const { records } of streams) records.return(undefined);
  }
}

interface OutgoingStream {
  readonly records: Generator<RestoreRecord>;
  sent: number;
  isOver: boolean;
}

function plannedStreams({ backup, streams, reader }: SendStreamsOptions): OutgoingStream[] {
  const decoder = new TextDecoder();
  const onLost = (path: Uint8Array, medium: Error | null) => {
    throw medium ?? damagedMember(decoder.decode(path));
  };
  return Array.from({ length: streams }, (_, index) => {
    const path = streamPath(backup.database ?? "", { index, count: streams });
    const plan = reader.planRestore(backup.backup, [path]);
    return { records: reader.restoreRecords(plan, onLost), sent: 0, isOver: false };
  });
}

/** What the client has room for, in the order in which it said so. */
class StreamWants {
  readonly #streams: number;
  readonly #change = new Change();
  #wanted: number[] = [];

  constructor(streams: number) {
    this.#streams = streams;
  }

  /** @throws AgentError `damaged` for a stream that there is not, or for too much */
  add(stream: number, records: number): void {
    const most = this.#streams * STREAM_RECORDS_MAX - this.#wanted.length;
    if (stream >= this.#streams || records > most) {
      const found = `${records} records of stream ${stream + 1}`;
      throw new AgentError("damaged", `Cannot go on with the restore: the client wants ${found}`);
    }
    for (let count = 0; count < records; count += 1) this.#wanted.push(stream);
    this.#change.notify();
  }

  async next(signal: AbortSignal): Promise<number> {
    for (;;) {
      const next = this.#wanted.shift();
      if (next !== undefined) return next;
      await this.#change.next({ signal });
    }
  }
}

async function awaitResult(
  session: WorkerSession,
  link: JobLink,
  { wants, totals }: Pick<SendStreamsOptions, "totals"> & { readonly wants: StreamWants },
): Promise<Restored> {
  for (;;) {
    const message = await link.receive();
    if (message.kind !== "document") {
      throw new AgentError("reset", "Cannot go on with the restore: found a record, need none");
    }
    const { document } = message;
    if (document.type === "error") throw fromErrorRecord(document.error);
    if (document.type === "stream-wanted") wants.add(document.stream, document.records);
    else if (document.type === "result") return document;
    else reportClient(session, document, totals);
  }
}
