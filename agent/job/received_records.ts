// The records that a side of a link received, in their order, and when the sender should hear of
// them.
//
// Pure: the link sends the cursor.

import { AgentError } from "../../transport/mod.ts";
import { CURSOR_BYTES, CURSOR_RECORDS } from "./limits.ts";

export class ReceivedRecords {
  #count = 0;
  /** What the sender was not told of. */
  #untoldRecords = 0;
  #untoldBytes = 0;

  get count(): number {
    return this.#count;
  }

  /** @throws AgentError `damaged` when it is not the next one */
  take({ sequence, frame }: { readonly sequence: number; readonly frame: Uint8Array }): void {
    if (sequence !== this.#count) {
      const found = `record ${sequence}, need ${this.#count}`;
      throw new AgentError("damaged", `Cannot go on with the job: the peer sent ${found}`);
    }
    this.#count += 1;
    this.#untoldRecords += 1;
    this.#untoldBytes += frame.length;
  }

  /** The count when it is time to tell the sender, as if it was told then; else null. */
  untold(): number | null {
    if (this.#untoldRecords < CURSOR_RECORDS && this.#untoldBytes < CURSOR_BYTES) return null;
    this.#untoldRecords = 0;
    this.#untoldBytes = 0;
    return this.#count;
  }
}
