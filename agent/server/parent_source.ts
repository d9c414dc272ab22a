// The rows of the parent as a client asks for them, chunk by chunk: one scan of the catalog, of
// which the last chunk is kept, for the channel that it took may have died with it.

import { AgentError } from "../../transport/mod.ts";
import { encodeParentRows, type PlacedRow } from "../application/mod.ts";
import { compressFrame } from "../media/mod.ts";
import type { ParentChunk } from "../record.ts";

/** Rows compress well at the fastest level, which costs less than their transmission. */
const LEVEL = 1;

export class ParentSource implements Disposable {
  readonly #chunks: Generator<Uint8Array>;
  #last: ParentChunk | null = null;

  /** @param rows by directory, in the order of a walk */
  constructor(rows: Iterable<PlacedRow>) {
    this.#chunks = encodeParentRows(rows);
  }

  /** True once the client has asked for rows. */
  get isAsked(): boolean {
    return this.#last !== null;
  }

  /**
   * The chunk of this index: the one after the last, or the last again.
   * @throws AgentError `reset` for another one, `damaged` when the catalog is
   */
  chunk(index: number): ParentChunk {
    const last = this.#last;
    if (last !== null && index === last.index) return last;
    if (index !== (last === null ? 0 : last.index + 1)) {
      const message = `Cannot go on with the backup: the client wants part ${index} of its parent`;
      throw new AgentError("reset", message);
    }
    const rows = this.#chunks.next();
    const chunk = rows.done === true
      ? { index, frame: new Uint8Array(0), rowBytes: 0 }
      : { index, frame: compressFrame(rows.value, LEVEL), rowBytes: rows.value.length };
    this.#last = chunk;
    return chunk;
  }

  [Symbol.dispose](): void {
    this.#chunks.return(undefined);
  }
}
