// A well-known port that stays open for as long as the daemon runs: socket, bind and listen happen
// once at its start, accept once a connection. The steps of the start are replayed at the head of
// every job's trace, since the figures show them there.

import type { Address } from "../conn.ts";
import type { ConnectLayer } from "../connect/mod.ts";
import { toErrorRecord } from "../ground/error.ts";
import type { ErrorRecord } from "../ground/error.ts";
import type { ArrivalLimits, Clock } from "../runtime/mod.ts";
import { type Figure, type FlowStep, FlowTrace, showAddress, type Side } from "./flow_trace.ts";
import { ARRIVALS, BACKLOG, HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS_MAX } from "./limits.ts";

/** Numbers of the steps of a listening side; "" where the figure has none. */
export interface ListeningSteps {
  readonly figure: Figure;
  readonly side: Side;
  readonly socket: string;
  readonly bind: string;
  readonly listen: string;
  readonly accept: string;
}

export interface ListeningPortOptions {
  readonly layer: ConnectLayer;
  readonly clock: Clock;
  readonly address: Address;
  /** How many newcomers are let in; ARRIVALS when left out. */
  readonly arrivals?: ArrivalLimits;
  readonly steps: ListeningSteps;
  /** Takes over an accepted connection; whatever it throws closes the connection. */
  readonly onAccepted: (accepted: Accepted) => Promise<void>;
  /** Told of every connection that was refused or broke during set-up, and where it came from. */
  readonly onRefused: (error: ErrorRecord, from: Address) => void;
}

/** An accepted connection with the trace of how it came to be. */
export interface Accepted {
  readonly descriptor: number;
  readonly trace: FlowTrace;
  /** The steps so far; grows as `trace` records more. */
  readonly steps: FlowStep[];
}

export class ListeningPort implements AsyncDisposable {
  readonly #options: ListeningPortOptions;
  readonly #descriptor: number;
  /** Connections that are half set up, by their addresses. */
  readonly #halfOpen = new Map<string, number>();
  #closed = false;

  private constructor(options: ListeningPortOptions, descriptor: number) {
    this.#options = options;
    this.#descriptor = descriptor;
  }

  /** @throws AgentError `port_in_use` | `failed` */
  static async open(options: ListeningPortOptions): Promise<ListeningPort> {
    const descriptor = options.layer.socket("AF_INET", "STREAM", "TCP");
    try {
      await options.layer.bind(descriptor, options.address);
      const { arrivals = ARRIVALS } = options;
      await options.layer.listen(descriptor, { backlog: BACKLOG, arrivals });
    } catch (error) {
      await options.layer.close(descriptor);
      throw error;
    }
    const port = new ListeningPort(options, descriptor);
    void port.#acceptForever();
    return port;
  }

  /** The bound address (its port is the real one when 0 was asked for). */
  get address(): Address {
    return this.#options.layer.getsockname(this.#descriptor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#options.layer.close(this.#descriptor);
  }

  async #acceptForever(): Promise<void> {
    while (!this.#closed) {
      let descriptor: number;
      try {
        descriptor = await this.#options.layer.accept(this.#descriptor);
      } catch (error) {
        if (this.#closed) return;
        this.#options.onRefused(toErrorRecord(error), this.address);
        await this.#options.clock.sleep(100); // Out of descriptors, for one: let some go first.
        continue;
      }
      void this.#handOver(descriptor);
    }
  }

  async #handOver(descriptor: number): Promise<void> {
    const { remoteAddr } = this.#options.layer.conn(descriptor);
    const from = remoteAddr.family === "AF_INET" ? remoteAddr.address : showAddress(remoteAddr);
    const before = this.#halfOpen.get(from) ?? 0;
    const all = this.#halfOpen.values().reduce((sum, count) => sum + count, 0);
    if (all >= HALF_OPEN_MAX || before >= HALF_OPEN_PER_ADDRESS_MAX) {
      this.#options.layer.abort(descriptor, "too many connections are half set up");
      return;
    }
    this.#halfOpen.set(from, before + 1);
    try {
      await this.#options.onAccepted(this.#trace(descriptor));
    } catch (error) {
      this.#options.layer.abort(descriptor, "set-up failed");
      this.#options.onRefused(toErrorRecord(error), remoteAddr);
    } finally {
      const left = (this.#halfOpen.get(from) ?? 0) - 1;
      if (left > 0) this.#halfOpen.set(from, left);
      else this.#halfOpen.delete(from);
    }
  }

  #trace(descriptor: number): Accepted {
    const { steps, clock, address } = this.#options;
    const recorded: FlowStep[] = [];
    const trace = new FlowTrace(steps.side, clock, (step) => recorded.push(step));
    const own = this.#descriptor;
    trace.done(steps.figure, steps.socket, `socket(AF_INET, STREAM, TCP) = ${own}`);
    trace.done(steps.figure, steps.bind, `bind(${own}, ${showAddress(address)})`);
    trace.done(steps.figure, steps.listen, `listen(${own}, ${BACKLOG})`);
    trace.done(steps.figure, steps.accept, `accept(${own}) = ${descriptor}`);
    return { descriptor, trace, steps: recorded };
  }
}
