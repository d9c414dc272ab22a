// Restore records into a tar stream: checks the sequence, decompresses, cuts the pieces.

import { AgentError } from "../../transport/ground/error.ts";
import { decompressFrame } from "../media/zstd.ts";
import type { RestoreRecord } from "../record.ts";
import { TarReader } from "../tar/mod.ts";
import type { TarSink } from "../tar/mod.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";

/** Receives the members of a restore. */
export interface RecordSink extends TarSink {
  /** The rest of the member under way is lost; it does not `end`. */
  lost(): void;
}

export class RecordReader {
  readonly #tar: TarReader;
  readonly #sink: RecordSink;
  #sequence = 0;

  constructor(sink: RecordSink) {
    this.#sink = sink;
    this.#tar = new TarReader(sink);
  }

  /** @throws AgentError `damaged`, and whatever the sink throws */
  feed(record: RestoreRecord): void {
    if (record.sequence !== this.#sequence) {
      throw damaged(`record ${record.sequence}`, `${this.#sequence}`);
    }
    if (!(record.tarBytes >= 0 && record.tarBytes <= MAX_FRAME_BYTES)) {
      throw damaged(`a frame of ${record.tarBytes} bytes`, `at most ${MAX_FRAME_BYTES}`);
    }
    this.#sequence++;
    if (record.frame.length === 0) {
      this.#tar.abandon();
      return this.#sink.lost();
    }
    const tar = decompressFrame(record.frame, record.tarBytes);
    for (const { offset, length } of record.pieces) {
      if (!(offset >= 0 && length >= 0 && offset + length <= tar.length)) {
        throw damaged(`piece ${offset}+${length}`, `it within ${tar.length} bytes`);
      }
      this.#tar.feed(tar.subarray(offset, offset + length));
    }
  }

  /** @throws AgentError `damaged` when the stream ended inside a member */
  finish(): void {
    this.#tar.finish();
  }
}

function damaged(found: string, needed: string): AgentError {
  return new AgentError("damaged", `Cannot restore: found ${found}, need ${needed}`, {
    hint: "Run `agent verify` to find the damaged media.",
  });
}
