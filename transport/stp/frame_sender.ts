// The outgoing half of a connection: starts frames while there is credit, publishes those that are
// on their volumes, and writes again what the peer asks for.
//
// Invariants:
//  1. Only the prefix of frames that are complete on every volume below them is published.
//  2. The endpoint is not given back while a write of ours to its slots is under way.
//  3. A write that failed ends the connection; its slots may still change (`undrained`).

import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { StpLink } from "./stp_link.ts";

export class FrameSender {
  readonly #link: StpLink;
  readonly #writer: FrameWriter;

  constructor(link: StpLink) {
    this.#link = link;
    this.#writer = new FrameWriter(link.medium, link.ids);
    link.onAsked = (seq) => this.#sendAgain(seq);
  }

  /** Frames that may be written now. */
  get credit(): number {
    const { send } = this.#link;
    const { credit } = send;
    return credit > 0 && this.#writer.isFree(send.place(send.frames)) ? credit : 0;
  }

  /** True while writes of frames are under way. */
  get busy(): boolean {
    return this.#link.send.unfinished > 0;
  }

  /**
   * Starts frames from a prefix of `from`, as many as there is credit for. The bytes are copied.
   * @returns how many bytes went out
   * @throws AgentError `volume`
   */
  send(from: Uint8Array): number {
    let count = 0;
    while (count < from.length && this.credit > 0) {
      const length = this.#writer.frameBytes(from.length - count);
      this.#sendFrame(length === from.length ? from : from.subarray(count, count + length));
      count += length;
    }
    return count;
  }

  #sendFrame(payload: Uint8Array): void {
    const link = this.#link;
    const { send } = link;
    const seq = send.frames;
    const frame = { place: send.place(seq), seq, streamOffset: send.bytes };
    send.produce(payload.length);
    link.setBlocked(false);
    link.beginWrite();
    let pending: Completion;
    try {
      pending = this.#writer.write(frame, payload);
    } catch (error) {
      link.endWrite("failed");
      throw error;
    }
    if (pending !== undefined) return this.#inBackground(this.#finish(seq, pending));
    link.endWrite("landed");
    this.#complete(seq);
  }

  async #finish(seq: number, pending: Promise<void>): Promise<void> {
    await this.#landing(pending);
    this.#complete(seq);
  }

  #complete(seq: number): void {
    if (!this.#link.send.complete(seq) || this.#link.failure !== null) return;
    const published = this.#link.publish();
    if (published !== undefined) this.#inBackground(published);
  }

  /** The peer could not read a frame that it did not acknowledge. */
  #sendAgain(seq: number): void {
    const pending = this.#link.guard();
    if (pending !== undefined) this.#inBackground(pending.then(() => this.#writeAgain(seq)));
    else this.#writeAgain(seq);
  }

  #writeAgain(seq: number): void {
    const link = this.#link;
    const place = link.send.place(seq);
    // Another write of the frame that is under way carries the same bytes.
    const due = link.failure === null && seq >= link.send.ackedFrames && this.#writer.isFree(place);
    if (!due) return;
    link.beginWrite();
    let pending: Completion | false;
    try {
      pending = this.#writer.writeAgain(place);
    } catch (error) {
      link.endWrite("failed");
      throw error;
    }
    if (pending !== false) link.own.block.sentAgain++;
    if (pending === undefined || pending === false) link.endWrite("landed");
    else this.#inBackground(this.#landing(pending));
  }

  /** The end of a write to our slots that is under way. */
  async #landing(pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#link.endWrite("failed");
      throw error;
    }
    this.#link.endWrite("landed");
  }

  /** What fails with nobody waiting for it ends the connection; a bug ends the program. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      this.#link.fault(error.message, error);
    });
  }
}
