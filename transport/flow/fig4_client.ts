// Fig. 4 of the patent application, client column (110): the client's agent listens on its
// well-known port (112-116), accepts the server's first connection (118), checks the zeros (120),
// answers with the descriptor of the accepted socket (122), "falls into a loop" and accepts the
// second connection (124), which names that descriptor (126).
//
// Both kinds of connection come in on the same port, of many jobs at once. The first bytes tell
// them apart: zeros open a job, a descriptor (never 0) joins one. The number alone can be guessed,
// so job and token, exchanged after the figure's messages, must be the same on both.
//
// A job whose connections broke comes in by the same steps; its hello says so, and is answered by a
// refusal when no such job runs.

import { AgentError, toErrorRecord } from "../ground/error.ts";
import type { ConnectLayer } from "../connect/mod.ts";
import type { Clock } from "../runtime/runtime.ts";
import {
  checkConnections,
  checkSameJob,
  FlowExchange,
  type FlowIdentity,
} from "./flow_exchange.ts";
import { decodeU32, encodeU32, type Hello, isZeros } from "./flow_messages.ts";
import type { FlowStep } from "./flow_trace.ts";
import { negotiateVersion } from "./flow_version.ts";
import { FIRST_BYTES_TIMEOUT_MS, STEP_TIMEOUT_MS, ZEROS_BYTES } from "./limits.ts";
import type { Accepted } from "./listening_port.ts";
import { refuseTlsRecord } from "./tls_record.ts";
import { withDeadline } from "../ground/deadline.ts";
import { readExactly } from "../ground/read_exactly.ts";

/** The network connections of a file-system job, as the client accepted them. */
export interface FileSystemSession {
  readonly hello: Hello;
  readonly control: number;
  readonly errors: number | null;
  readonly steps: readonly FlowStep[];
  /** The version of the job protocol that both speak. */
  readonly version: number;
}

export interface FileSystemDoorOptions {
  readonly layer: ConnectLayer;
  readonly clock: Clock;
  /** Our name and connection count. */
  readonly name: string;
  readonly connections: number;
  readonly signal: AbortSignal;
  /** Asked for the first connection of each session; what it throws is told to the server. */
  readonly admit: (hello: Hello, peerName: string | undefined) => void;
  readonly onSession: (session: FileSystemSession) => void;
}

/** A job whose second connection has not come yet. */
interface HalfSession {
  readonly hello: Hello;
  readonly accepted: Accepted;
  readonly abandon: AbortController;
}

/** Pairs the connections that the well-known port accepts into sessions. */
export class FileSystemDoor {
  readonly #options: FileSystemDoorOptions;
  readonly #halves = new Map<number, HalfSession>();

  constructor(options: FileSystemDoorOptions) {
    this.#options = options;
  }

  /** Handles one accepted connection; for ListeningPort's `onAccepted`. */
  async enter(accepted: Accepted): Promise<void> {
    const { layer, clock, signal } = this.#options;
    const context = { layer, clock, signal, trace: accepted.trace };
    const exchange = new FlowExchange(context, "4", accepted.descriptor);
    const first = await this.#firstBytes(accepted.descriptor, 4);
    refuseTlsRecord(first);
    if (!isZeros(first)) {
      await this.#enterSecond(accepted, exchange, decodeU32(first));
      return;
    }
    const rest = await this.#firstBytes(accepted.descriptor, ZEROS_BYTES - first.length);
    if (!isZeros(rest)) {
      throw new AgentError("reset", "Cannot accept the connection: found no zeros, need 16");
    }
    await this.#enterFirst(accepted, exchange);
  }

  async #enterFirst(accepted: Accepted, exchange: FlowExchange): Promise<void> {
    const { descriptor } = accepted;
    exchange.done("120", `recv(${descriptor}) = ${ZEROS_BYTES} zeros`);
    await exchange.send(
      { step: "122", call: `send(${descriptor}, descriptor ${descriptor})` },
      [encodeU32(descriptor)],
    );
    const hello = await exchange.receiveHello();
    await this.#admit(exchange, hello);
    await exchange.sendHello(this.#identity(hello));
    checkConnections(hello, this.#options.connections);
    if (this.#options.connections === 1) {
      this.#enterSession({ hello, control: descriptor, errors: null, steps: accepted.steps });
      return;
    }
    const abandon = new AbortController();
    this.#halves.set(descriptor, { hello, accepted, abandon });
    void this.#expire(descriptor, abandon.signal);
  }

  async #enterSecond(accepted: Accepted, exchange: FlowExchange, named: number): Promise<void> {
    const half = this.#halves.get(named);
    if (half === undefined) {
      throw new AgentError(
        "auth",
        `Cannot accept the connection: it names descriptor ${named}, which waits for no second one`,
      );
    }
    const hello = await exchange.receiveHello();
    this.#checkSamePeer(accepted.descriptor, named);
    checkSameJob(hello, half.hello);
    await exchange.sendHello(this.#identity(hello));
    // It may have expired, or got its second connection, while this one said who it is.
    if (this.#halves.get(named) !== half) {
      throw new AgentError("auth", `Cannot accept the connection: job "${hello.job}" has its own`);
    }
    this.#halves.delete(named);
    half.abandon.abort();
    const { trace } = half.accepted;
    trace.done("4", "124", `accept() = ${accepted.descriptor}`);
    trace.done("4", "126", `recv(${accepted.descriptor}) = descriptor ${named}`);
    try {
      this.#enterSession({
        hello: half.hello,
        control: named,
        errors: accepted.descriptor,
        steps: half.accepted.steps,
      });
    } catch (error) {
      this.#options.layer.abort(named, "the job was not taken"); // The caller ends the second.
      throw error;
    }
  }

  /** @throws AgentError what `admit` throws, after the server was told */
  async #admit(exchange: FlowExchange, hello: Hello): Promise<void> {
    const { layer, admit } = this.#options;
    try {
      admit(hello, layer.conn(exchange.descriptor).peerName);
    } catch (error) {
      await exchange.sendRefusal(toErrorRecord(error));
      await layer.close(exchange.descriptor); // In order, so that the refusal arrives.
      throw error;
    }
  }

  #enterSession(session: Omit<FileSystemSession, "version">): void {
    this.#options.onSession({ ...session, version: negotiateVersion(session.hello) });
  }

  /** @throws AgentError `auth` unless both connections come from the host of one certificate */
  #checkSamePeer(second: number, first: number): void {
    const { layer } = this.#options;
    const [found, need] = [layer.conn(second).peerName, layer.conn(first).peerName];
    if (found === need) return;
    throw new AgentError(
      "auth",
      `Cannot accept the connection: found the certificate of "${found}", need "${need}"`,
    );
  }

  #identity(peer: Hello): FlowIdentity {
    const { name, connections } = this.#options;
    return { name, connections, job: peer.job, token: peer.token };
  }

  #firstBytes(descriptor: number, count: number): Promise<Uint8Array> {
    const { clock, layer, signal } = this.#options;
    const action = "accept the connection";
    return withDeadline(
      clock,
      { timeoutMs: FIRST_BYTES_TIMEOUT_MS, action, signal },
      (signal) => readExactly(layer.conn(descriptor), count, { signal }),
    );
  }

  /** Gives up a job whose second connection does not come. */
  async #expire(descriptor: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#options.signal]);
    try {
      await this.#options.clock.sleep(STEP_TIMEOUT_MS, { signal: either });
    } catch {
      return; // The second connection came, or everything ends.
    }
    this.#halves.delete(descriptor);
    this.#options.layer.abort(descriptor, "the second connection did not come");
  }
}
