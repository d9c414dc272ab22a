// The frames of a restore into a tar stream: checks the sequence, cuts the pieces.

import { AgentError } from "../../transport/ground/error.ts";
import type { TarPieces } from "../record.ts";
import { TarReader } from "../tar/mod.ts";
import type { TarSink } from "../tar/mod.ts";

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
  feed({ sequence, tar, pieces }: TarPieces): void {
    if (sequence !== this.#sequence) throw damaged(`record ${sequence}`, `${this.#sequence}`);
    this.#sequence++;
    if (tar === null) {
      this.#tar.abandon();
      return this.#sink.lost();
    }
    for (const { offset, length } of pieces) {
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
