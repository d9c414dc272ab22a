// One socket of a connection flow: sends and receives the flow's messages, each with a deadline,
// and reports each step once it is done.

import type { WaitOptions } from "../conn.ts";
import type { ConnectLayer } from "../connect/mod.ts";
import { withDeadline } from "../ground/deadline.ts";
import { equalBytes } from "../ground/equal_bytes.ts";
import { AgentError, type ErrorRecord } from "../ground/error.ts";
import { readFull } from "../ground/read_exactly.ts";
import { writeAll } from "../ground/write_all.ts";
import type { Clock } from "../runtime/runtime.ts";
import {
  decodeHello,
  decodeLength,
  encodeDocument,
  type FlowDocument,
  type Hello,
} from "./flow_messages.ts";
import type { Figure, Tracer } from "./flow_trace.ts";
import { negotiateVersion, VERSION_MAX, VERSION_MIN } from "./flow_version.ts";
import { STEP_TIMEOUT_MS } from "./limits.ts";
import { refuseTlsRecord } from "./tls_record.ts";

/** What every flow works with. */
export interface FlowContext {
  readonly layer: ConnectLayer;
  readonly clock: Clock;
  readonly trace: Tracer;
  readonly signal: AbortSignal;
}

/** Who we are and which job this is; the peer must name the same job and token. */
export interface FlowIdentity {
  readonly name: string;
  readonly job: string;
  /** Hex of TOKEN_BYTES. */
  readonly token: string;
  /** Network connections that a job has by our configuration (1 or 2). */
  readonly connections: number;
  /** Above 1: these connections continue the job in place of those before. */
  readonly connection?: number;
  /** Parallel streams of a database job, each with an STP connection; one when left out. */
  readonly streams?: number;
}

/** A number of the figure and the call that the trace shows for it. */
export interface Step {
  readonly step: string;
  readonly call: string;
}

/**
 * The messages of one connection, each with the deadline of a step. `peek` looks whether the peer
 * says something without taking it.
 */
export class FlowExchange {
  readonly descriptor: number;
  /** What `peek` read ahead. */
  #ahead: Uint8Array = new Uint8Array();
  readonly #context: FlowContext;
  readonly #figure: Figure;

  constructor(context: FlowContext, figure: Figure, descriptor: number) {
    this.#context = context;
    this.#figure = figure;
    this.descriptor = descriptor;
  }

  done(step: string, call: string): void {
    this.#context.trace.done(this.#figure, step, call);
  }

  /** Runs a wait of one step with the step's deadline. */
  wait<T>(action: string, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, signal } = this.#context;
    return withDeadline(clock, { timeoutMs: STEP_TIMEOUT_MS, action, signal }, wait);
  }

  /**
   * Sends messages one after the other. The step is reported before its bytes leave, so that on
   * no clock the peer's receive comes first.
   */
  async send(step: Step, messages: readonly Uint8Array[]): Promise<void> {
    this.done(step.step, step.call);
    await this.wait(`send at step ${step.step}`, async (signal) => {
      for (const message of messages) await writeAll(this.#conn(), message, { signal });
    });
  }

  receive(what: string, count: number): Promise<Uint8Array> {
    return this.wait(`receive ${what}`, async (signal) => {
      const ahead = this.#ahead.subarray(0, count);
      const bytes = new Uint8Array(count);
      bytes.set(ahead);
      await readFull(this.#conn(), bytes.subarray(ahead.length), { signal }).catch(withHint);
      this.#ahead = this.#ahead.subarray(ahead.length);
      refuseTlsRecord(bytes);
      return bytes;
    });
  }

  /** Waits until the peer has said something. @throws AgentError `reset` when it ends instead */
  async peek(options: WaitOptions): Promise<void> {
    if (this.#ahead.length > 0) return;
    const first = new Uint8Array(1);
    const count = await this.#conn().read(first, options);
    if (count === null) throw new AgentError("reset", "Cannot set up the connection: it ended");
    this.#ahead = first;
  }

  /** Receives the two messages of a document: the length, then the body of that length. */
  async receiveDocument(what: string): Promise<Uint8Array> {
    const length = decodeLength(await this.receive(what, 4));
    return await this.receive(what, length);
  }

  async sendDocument(step: Step, document: FlowDocument): Promise<void> {
    await this.send(step, encodeDocument(document));
  }

  /**
   * Exchanges {version range, job, token} and checks the peer's.
   * @throws AgentError `mismatch` for other versions or connection counts, `auth` for another job
   */
  async exchangeHello(identity: FlowIdentity): Promise<Hello> {
    await this.sendHello(identity);
    const hello = await this.receiveHello();
    checkSameJob(hello, identity);
    return hello;
  }

  async sendHello(identity: FlowIdentity): Promise<void> {
    const hello: Hello = {
      type: "hello",
      versionMin: VERSION_MIN,
      versionMax: VERSION_MAX,
      connection: 1,
      ...identity,
    };
    const versions = `versions ${VERSION_MIN}-${VERSION_MAX}`;
    const call = `send(${this.descriptor}, {${versions}, job, token${showConnection(hello)}})`;
    await this.send({ step: "", call }, encodeDocument(hello));
  }

  /** In place of our hello. */
  async sendRefusal({ code, message: reason }: ErrorRecord): Promise<void> {
    const call = `send(${this.descriptor}, refused: ${reason})`;
    const busy = code === "busy";
    await this.send({ step: "", call }, encodeDocument({ type: "refused", busy, reason }));
  }

  async receiveHello(): Promise<Hello> {
    const hello = decodeHello(await this.receiveDocument("versions, job and token"));
    checkPeerName(hello, this.#conn().peerName);
    const version = negotiateVersion(hello);
    const what = `version ${version}, job ${hello.job}, token${showConnection(hello)}`;
    this.done("", `recv(${this.descriptor}) = {${what}}`);
    return hello;
  }

  #conn() {
    return this.#context.layer.conn(this.descriptor);
  }
}

function showConnection({ connection }: Hello): string {
  return connection === 1 ? "" : `, connection ${connection}`;
}

/** A peer that ends a set-up says why in its own log only; here we know more than below. */
function withHint(error: unknown): never {
  if (!(error instanceof AgentError) || error.code !== "reset") throw error;
  const hint = "See the peer's log; `tls` must be set at both ends or at neither.";
  throw new AgentError("reset", error.message, { hint, cause: error });
}

/** @throws AgentError `auth` when the peer says another name than its certificate proved */
function checkPeerName(hello: Hello, proved: string | undefined): void {
  if (proved === undefined || hello.name === proved) return;
  throw new AgentError(
    "auth",
    `Cannot use the connection of "${proved}": it says that it is "${hello.name}", need its name`,
    { hint: `Set \`name: ${proved}\` in the configuration of that host, as in its certificate.` },
  );
}

/** @throws AgentError `auth` when the peer names another job or token */
export function checkSameJob(
  peer: { readonly job: string; readonly token: string },
  ours: { readonly job: string; readonly token: string },
): void {
  const encoder = new TextEncoder();
  const same = peer.job === ours.job &&
    equalBytes(encoder.encode(peer.token), encoder.encode(ours.token));
  if (same) return;
  throw new AgentError(
    "auth",
    `Cannot use the connection for job "${ours.job}": found another job or token, need its own`,
  );
}

/** @throws AgentError `mismatch` that names both counts */
export function checkConnections(peer: Hello, connections: number): void {
  if (peer.connections === connections) return;
  throw new AgentError(
    "mismatch",
    `Cannot set up job "${peer.job}" with "${peer.name}": its configuration has ` +
      `"connections: ${peer.connections}", need ${connections} as in ours`,
    { hint: "Set the same `connections` in the configurations of the server and the client." },
  );
}
