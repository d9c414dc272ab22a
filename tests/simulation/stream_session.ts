// Plays one end of a simulated connection by its plan and tells the ledger what it saw.
//
// Invariants: it comes to an end whatever the connection does, because every call on a connection
// does. Cancelled waits are made again: they must have taken nothing.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { StpConn } from "../../transport/stp/mod.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { EndPlan } from "./session_plan.ts";
import type { SimProcess } from "./sim_process.ts";
import type { EndLedger } from "./stream_ledger.ts";

/** How long a wait goes on before it is cancelled, at most, in ms. */
const CANCEL_MS = 30;

export interface SessionOptions {
  readonly conn: StpConn;
  readonly plan: EndPlan;
  readonly own: EndLedger;
  readonly other: EndLedger;
  readonly process: SimProcess;
  readonly random: SeededRandom;
}

export class StreamSession {
  readonly #options: SessionOptions;
  readonly #receivedAll = Promise.withResolvers<void>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Settles when this end is over; never rejects for an operating error. */
  async play(): Promise<void> {
    const { conn, own, plan } = this.#options;
    const leaving = plan.leave === "aborts" || plan.leave === "closes" ? this.#leave() : undefined;
    const receiving = this.#judged("read", this.#receive());
    receiving.then(this.#receivedAll.resolve);
    await Promise.all([this.#judged("write", this.#send()), receiving, leaving]);
    // By `close`, not by what it leads to: an end that failed must also be over after it.
    own.over ||= "closed";
    await conn.close();
    await this.#expectNothing();
    assert(conn.counters.receivedBytes === own.receivedBytes, "the counter is what was read");
  }

  async #judged(call: "read" | "write", work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#options.own.fail(call, error);
    }
  }

  async #leave(): Promise<void> {
    const { conn, own, plan, process } = this.#options;
    await process.sleep(plan.leaveMs);
    if (own.over !== "") return;
    own.over = plan.leave === "aborts" ? "aborted" : "closed";
    own.finished ||= plan.leave === "closes";
    if (plan.leave === "aborts") conn.abort("the program gave up");
    else await conn.close();
  }

  async #send(): Promise<void> {
    const { conn, own, plan, random } = this.#options;
    while (own.acceptedBytes < plan.bytes) {
      await this.#rest();
      const at = own.acceptedBytes;
      const length = Math.min(plan.bytes - at, 1 + random.below(plan.writeMax));
      own.offeredBytes = at + length;
      // The program's own buffer, which it uses again after the call.
      const piece = own.content.slice(at, at + length);
      const count = await this.#cancellable((signal) => conn.write(piece, { signal }));
      piece.fill(0xee);
      own.acceptedBytes += count ?? 0;
    }
    if (plan.leave === "confirms") await this.#receivedAll.promise;
    if (own.over !== "") return;
    own.finished = true;
    await conn.closeWrite();
  }

  async #receive(): Promise<void> {
    const { conn, own, other, plan, random } = this.#options;
    const buffer = new Uint8Array(plan.readMax);
    for (;;) {
      await this.#rest();
      const into = buffer.subarray(0, 1 + random.below(plan.readMax));
      const count = await this.#cancellable((signal) => conn.read(into, { signal }));
      if (count === null) return own.end(other);
      if (count !== undefined) own.receive(into.subarray(0, count), other);
    }
  }

  async #rest(): Promise<void> {
    const { plan, random, process } = this.#options;
    if (random.chance(plan.restRate)) await process.sleep(random.between(0, plan.restMs));
  }

  /** @returns undefined when the wait was cancelled */
  async #cancellable<T>(call: (signal: AbortSignal | undefined) => Promise<T>) {
    const { plan, random, process } = this.#options;
    if (!random.chance(plan.cancelRate)) return await call(undefined);
    const stopping = new AbortController();
    const over = new AbortController();
    process.sleep(random.between(0, CANCEL_MS), { signal: over.signal })
      .then(() => stopping.abort(), () => {});
    try {
      return await call(stopping.signal);
    } catch (error) {
      if (error instanceof AgentError && error.code === "cancelled") return undefined;
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Every later read must reject. */
  async #expectNothing(): Promise<void> {
    const { conn, own, other } = this.#options;
    try {
      const into = new Uint8Array(1);
      const count = await conn.read(into);
      if (count === null) own.end(other);
      else own.receive(into, other);
    } catch (error) {
      own.fail("read", error);
    }
  }
}
