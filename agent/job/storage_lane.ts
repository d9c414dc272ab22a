// The storage channel of a file-system job's records, and how the job goes on over the network
// when it dies.
//
// Either side may notice the loss, or both at once. The receiver decides where the sender goes on:
//
//   sender notices     "storage-lost" ->          the receiver answers with "fall-back"
//   receiver notices            <- "fall-back"    {records received whole}
//   then               records from there on, on the control connection
//
// Invariants:
//  1. The receiver sends one "fall-back" and takes no record from the storage after it, the sender
//     resends exactly the records after it: nothing comes twice, nothing is missing.
//  2. A connection that ends without a failed volume of ours is doubtful: the peer is given time
//     to say why, for it may have failed altogether, or know the reason.
//  3. The code and words of the "fall-back" are those of both sides.
//  4. A peer whose host is gone from the storage while the network is cut is gone: the job ends.

import {
  AgentError,
  cancellation,
  Change,
  type Clock,
  type Fallback,
  isHostGone,
  isVolumeFailure,
  lossFallback,
  orCancelled,
  type Side,
  StorageError,
  toErrorRecord,
} from "../../transport/mod.ts";
import { DETAIL_LENGTH_MAX, TELL_TIMEOUT_MS } from "./limits.ts";
import type { LinkConn, MessageLane } from "./link_conn.ts";
import type { Outgoing } from "./outgoing.ts";
import type { LinkDocument } from "./link_document.ts";
import { RecordWindow } from "./record_window.ts";

export interface LaneOptions {
  readonly side: Side;
  /** Which way this side moves records. */
  readonly direction: "send" | "receive";
  /** False: the policy forbids the network, so the loss ends the job. */
  readonly mayFallBack: boolean;
  /** Fires when this host lost the group: nothing may be written to it any more. */
  readonly lost: AbortSignal;
  /** The job goes on over the network from now on. */
  readonly onFallback: (fallback: Fallback) => void;
}

export interface LaneParts extends LaneOptions {
  /** Null when the channel was lost before this side had it. */
  readonly data: LinkConn | null;
  readonly control: MessageLane;
  readonly clock: Clock;
  /** Ends the job. */
  readonly signal: AbortSignal;
  /** Ended by the lane when the job cannot go on, and by the link when the job is over. */
  readonly ended: AbortController;
  /** True while the network is cut: the peer can be told nothing. */
  readonly isCut: () => boolean;
  /** Records that this side received whole. */
  readonly received: () => number;
}

/**
 * `up`: records use the storage. `doubtful`: it ended, the peer may say why. `lost`: the sender
 * waits to be told where to go on. `over`: records use the control connection.
 */
type LaneState = "up" | "doubtful" | "lost" | "over";

export class StorageLane {
  readonly #parts: LaneParts;
  readonly #window = new RecordWindow<Outgoing>();
  readonly #change = new Change();
  readonly #dropped = new AbortController();
  readonly #signal: AbortSignal;
  readonly #resent = Promise.withResolvers<void>();
  #state: LaneState = "up";
  #hostGone = false;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#signal = AbortSignal.any([parts.signal, parts.ended.signal]);
    this.#resent.promise.catch(() => {}); // Of interest only while a record waits for it.
    const onLost = () => this.#lostGroup(cancellation(parts.lost));
    if (parts.lost.aborted) onLost();
    else parts.lost.addEventListener("abort", onLost, { once: true, signal: parts.ended.signal });
  }

  /** The connection that carries records, while it does. */
  get data(): LinkConn | null {
    return this.#state === "up" ? this.#parts.data : null;
  }

  /** Sends a record, on whichever channel; waits while too many are unacknowledged. */
  async send(record: Outgoing): Promise<void> {
    const signal = this.#signal;
    while (this.#state !== "over" && this.#window.isFull) await this.#change.next({ signal });
    if (this.#state === "over") return await this.#parts.control.send(record, this.#parts);
    const { release, ...kept } = record;
    this.#window.push(record, record.totalBytes, release);
    if (this.data !== null) {
      try {
        return await orCancelled(this.data.send(kept, { signal }), this.#dropped.signal);
      } catch (error) {
        this.fail(error);
      }
    }
    await orCancelled(this.#resent.promise, signal); // It is among those that are sent again.
  }

  /** Sends what the peer asks for again when it does not come, on whichever channel. */
  async sendOnce(message: Outgoing): Promise<void> {
    if (this.data === null) return await this.#parts.control.send(message, this.#parts);
    try {
      await orCancelled(this.data.send(message, { signal: this.#signal }), this.#dropped.signal);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The receiver has this many records. @throws AgentError `damaged` */
  acknowledge(received: number): void {
    if (this.#state !== "over" && this.#window.acknowledge(received)) this.#change.notify();
  }

  /** True for the peer's words about the channel, which are done with then. */
  take(document: LinkDocument): boolean {
    const { direction } = this.#parts;
    if (document.type === "storage-lost" && direction === "receive") {
      this.lose({ reason: document.reason, detail: document.detail });
      return true;
    }
    if (document.type !== "fall-back" || direction !== "send") return false;
    this.#resume(document.received, { reason: document.reason, detail: document.detail });
    return true;
  }

  /** The connection failed. @throws `error` when that is no loss of the storage */
  fail(error: unknown): void {
    const { signal, side } = this.#parts;
    if (!(error instanceof AgentError) || error.code === "damaged" || signal.aborted) throw error;
    if (this.#state !== "up") return;
    this.#hostGone = isHostGone(error);
    const fallback = lossFallback(error, side);
    if (isVolumeFailure(error)) return this.lose(fallback);
    this.#state = "doubtful";
    this.#drop(fallback.detail);
    void this.#decideLater(fallback);
  }

  /** The storage is lost for sure: goes over to the network, or ends the job. */
  lose(fallback: Fallback): void {
    if (this.#state === "lost" || this.#state === "over" || this.#parts.ended.signal.aborted) {
      return;
    }
    const { direction, mayFallBack, received, onFallback, isCut, ended } = this.#parts;
    if (!mayFallBack) return ended.abort(new StorageError(fallback));
    if (this.#hostGone && isCut()) return ended.abort(outOfReach(fallback));
    const detail = fallback.detail.slice(0, DETAIL_LENGTH_MAX);
    this.#state = direction === "receive" ? "over" : "lost";
    this.#drop(detail);
    if (direction === "receive") {
      this.#tell({ type: "fall-back", received: received(), reason: fallback.reason, detail });
      onFallback(fallback);
    } else this.#tell({ type: "storage-lost", reason: fallback.reason, detail });
    this.#change.notify();
  }

  /** The receiver said how far it got. @throws AgentError `damaged` | `reset` */
  #resume(received: number, fallback: Fallback): void {
    const { mayFallBack, control, onFallback } = this.#parts;
    if (!mayFallBack || this.#state === "over") {
      throw new AgentError("reset", "Cannot go on with the job: the peer fell back unasked");
    }
    this.#window.acknowledge(received);
    this.#state = "over";
    this.#drop(fallback.detail);
    // Queued at once, so that whatever is sent from now on comes after them.
    const sending = this.#window.unacknowledged().map((one) => control.send(one, this.#parts));
    this.#window.clear();
    Promise.all(sending).then(() => this.#resent.resolve(), this.#resent.reject);
    onFallback(fallback);
    this.#change.notify();
  }

  #lostGroup(error: AgentError): void {
    const { side } = this.#parts;
    this.lose({ reason: `${side}_stg_lost`, detail: error.message });
  }

  async #decideLater(fallback: Fallback): Promise<void> {
    try {
      await this.#parts.clock.sleep(TELL_TIMEOUT_MS, { signal: this.#signal });
    } catch {
      return; // The job ended, which was the reason.
    }
    if (this.#state === "doubtful") this.lose(fallback);
  }

  #drop(reason: string): void {
    if (this.#dropped.signal.aborted) return;
    this.#dropped.abort(new AgentError("reset", `Cannot use the storage channel: ${reason}`));
    this.#parts.data?.conn.abort(reason);
  }

  /** A control connection that fails is noticed where it is read. */
  #tell(document: LinkDocument): void {
    this.#parts.control.sendDocument(document, this.#parts).catch((error) => {
      if (toErrorRecord(error).code === "internal") this.#parts.ended.abort(error);
    });
  }
}

function outOfReach({ detail }: Fallback): AgentError {
  return new AgentError(
    "unreachable",
    `Cannot go on with the job: the network is cut, and on the storage: ${detail}`,
    { hint: "Check the agent on the other host, and run the job again." },
  );
}
