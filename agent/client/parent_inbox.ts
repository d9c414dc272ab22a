// Rows of the server's catalog as they arrive at the client: one chunk here, the next asked for.
// Who takes them does so synchronously; whoever runs that waits in between.

import { AgentError, Change } from "../../transport/mod.ts";
import { MAX_PARENT_CHUNK_BYTES, type ParentFeed } from "../application/mod.ts";
import type { JobLink } from "../job/mod.ts";
import { decompressFrame } from "../media/mod.ts";
import type { ParentChunk } from "../record.ts";

export class ParentInbox implements ParentFeed {
  readonly #link: Pick<JobLink, "wantParent">;
  readonly #change = new Change();
  #asked = -1;
  #arrived: Uint8Array | "end" | null = null;
  #failure: unknown = null;
  #starved = false;

  constructor(link: Pick<JobLink, "wantParent">) {
    this.#link = link;
  }

  take(): Uint8Array | null | "end" {
    if (this.#asked < 0) this.#ask(0);
    const chunk = this.#arrived;
    this.#starved = chunk === null;
    if (chunk === null || chunk === "end") return chunk;
    this.#arrived = null;
    this.#ask(this.#asked + 1);
    return chunk;
  }

  /** Takes a chunk; one that came before is ignored. @throws AgentError `damaged` */
  add({ index, rowBytes, frame }: ParentChunk): void {
    if (index !== this.#asked || this.#arrived !== null) return;
    if (rowBytes > MAX_PARENT_CHUNK_BYTES) {
      const found = `${rowBytes} bytes of rows`;
      throw new AgentError(
        "damaged",
        `Cannot go on with the job: found ${found}, need at most ${MAX_PARENT_CHUNK_BYTES}`,
      );
    }
    this.#arrived = rowBytes === 0 ? "end" : decompressFrame(frame, rowBytes);
    this.#change.notify();
  }

  /** Waits until there is what `take` found missing. @throws what asking for it throws */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#starved && this.#arrived === null) {
      if (this.#failure !== null) throw this.#failure;
      await this.#change.next({ signal });
    }
  }

  #ask(index: number): void {
    this.#asked = index;
    this.#link.wantParent(index).catch((error) => {
      this.#failure = error;
      this.#change.notify();
    });
  }
}
