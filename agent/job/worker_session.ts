// What the code of a job works with on its worker thread: the connect layer that is its meter, the
// trace that goes to the main thread and to the peer, and the connections that the main thread
// accepted for it.

import {
  AgentError,
  cancellation,
  ConnectLayer,
  type DatabaseConnection,
  type Fallback,
  type FlowContext,
  type FlowIdentity,
  type FlowStep,
  FlowTrace,
  type Mechanism,
  orCancelled,
  RelayConn,
  type Runtime,
  type Side,
} from "../../transport/mod.ts";
import type { AuditEntry } from "../audit_log.ts";
import type {
  ChannelBytes,
  ExpiryItemView,
  ExpiryPart,
  JobKind,
  Warning,
} from "../control/daemon.ts";
import type { Drill } from "../control/drill_view.ts";
import type { RestoreItemView, RestorePart } from "../control/restore_view.ts";
import type { WalArchivePart, WalArchiveView } from "../control/wal_report_view.ts";
import type { LinkDocument } from "./link_document.ts";
import { type ProgressCounts, ProgressMeter } from "./progress_meter.ts";
import { type WalAnswer, WalRequests } from "./wal_request.ts";
import type { FromWorker, RelayedConnection, Validation, WorkerTask } from "./worker_protocol.ts";

type Role = RelayedConnection["role"];

export interface WorkerSessionOptions {
  readonly runtime: Runtime;
  readonly task: WorkerTask;
  readonly network: Mechanism;
  readonly storage: Mechanism;
  readonly post: (message: FromWorker) => void;
}

/** A relayed connection as a descriptor of this job's layer. */
export interface Adopted {
  readonly descriptor: number;
  readonly setup: RelayedConnection["setup"];
  readonly steps: readonly FlowStep[];
}

export class WorkerSession implements AsyncDisposable {
  readonly runtime: Runtime;
  readonly identity: FlowIdentity;
  readonly layer: ConnectLayer;
  /** What the main thread asks a job for that carries a log. */
  readonly walRequests = new WalRequests();
  readonly #post: (message: FromWorker) => void;
  readonly #cancel = new AbortController();
  readonly #steps: FlowStep[];
  readonly #trace: FlowTrace;
  readonly #meter: ProgressMeter;
  readonly #arrived = new Map<Role, Adopted>();
  readonly #waiting = new Map<Role, (adopted: Adopted) => void>();
  readonly #storageLost = new AbortController();
  #fallback: Fallback | null = null;
  #takeWriter: (port: MessagePort) => void = () => {};

  constructor(options: WorkerSessionOptions) {
    const { runtime, task } = options;
    this.runtime = runtime;
    this.identity = task.identity;
    this.layer = new ConnectLayer({ network: options.network, storage: options.storage });
    this.#post = options.post;
    this.#steps = [...task.steps];
    const side: Side = task.kind.startsWith("server") ? "server" : "client";
    const sinceMs = Math.max(0, ...task.steps.map((step) => step.atMs));
    this.#trace = new FlowTrace(side, runtime.clock, (step) => this.#record(step), sinceMs);
    this.#meter = new ProgressMeter(task.identity.job, runtime.clock.monotonicMs());
    if (task.steps.length > 0) this.#post({ type: "steps", steps: task.steps });
  }

  /** Fires when the job is cancelled, or fails from outside. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  cancel(): void {
    const message = `Cannot finish job "${this.identity.job}": cancelled`;
    this.#cancel.abort(new AgentError("cancelled", message));
  }

  /** Ends the job with this error, as a cancellation does. */
  fail(error: AgentError): void {
    this.#cancel.abort(error);
  }

  /** @throws AgentError `cancelled`, or the reason of `fail` */
  throwIfCancelled(): void {
    if (this.signal.aborted) throw cancellation(this.signal);
  }

  /** Fires when this host lost the group that the job uses: nobody may write to it any more. */
  get storageLost(): AbortSignal {
    return this.#storageLost.signal;
  }

  loseStorage(error: AgentError): void {
    this.#storageLost.abort(error);
  }

  /** Why the job uses the network although it prefers the storage; null while it does not. */
  get fallback(): Fallback | null {
    return this.#fallback;
  }

  /** Tells that the job uses the network; the first reason stands. */
  readonly fellBack = (fallback: Fallback): void => {
    if (this.#fallback !== null) return;
    this.#fallback = fallback;
    this.#post({ type: "fallback", fallback });
  };

  /** Tells that the network of the job was cut. */
  readonly networkCut = (why: string): void => {
    this.#post({ type: "network", message: `the network was cut: ${why}` });
  };

  /** Tells that it was connected again, by these steps. @returns them for the peer's ladder */
  networkRejoined(afterMs: number, steps: readonly FlowStep[]): LinkDocument {
    const seconds = (afterMs / 1000).toFixed(1);
    this.#post({ type: "network", message: `the network is connected again after ${seconds} s` });
    for (const step of steps) this.#record(step);
    return { type: "trace", steps: [...steps] };
  }

  /** What the set-up of a database job came to; on the storage it stands and falls with that. */
  settleDatabase({ mechanism, fallback }: DatabaseConnection): void {
    if (fallback !== null) this.fellBack(fallback);
    if (mechanism === "network") return;
    const { storageLost } = this;
    const onLost = () => this.fail(cancellation(storageLost));
    if (storageLost.aborted) onLost();
    else storageLost.addEventListener("abort", onLost, { once: true });
  }

  flow(signal: AbortSignal = this.signal): FlowContext {
    return { layer: this.layer, clock: this.runtime.clock, trace: this.#trace, signal };
  }

  /** This side's steps so far, for the peer's ladder, without the first ones that it knows. */
  ownSteps(known = 0): LinkDocument {
    return { type: "trace", steps: this.#steps.slice(known) };
  }

  get stepCount(): number {
    return this.#steps.length;
  }

  /** Takes the peer's steps for our ladder. */
  addPeerSteps(steps: readonly FlowStep[]): void {
    this.#post({ type: "steps", steps });
  }

  /** The connections stand and it is known what to do. */
  running(kind: JobKind): void {
    this.#post({ type: "running", kind });
  }

  /** Notes what the peer, by its name if that was proved, asked for. */
  audit(peer: string | null, entry: Omit<AuditEntry, "who">): void {
    this.#post({ type: "audit", peer, entry });
  }

  /** Answers a request of `walRequests`. */
  answerWal(id: number, answer: WalAnswer): void {
    this.#post({ type: "wal", id, answer });
  }

  /** What a validation found. */
  validated(validation: Validation): void {
    this.#post({ type: "validation", validation });
  }

  /** Names the backup that the job writes or reads. */
  setBackup(backup: string): void {
    this.#post({ type: "backup", backup });
  }

  /** From now on the job does what must not be cut short, and ends by itself soon. */
  committing(): void {
    this.#post({ type: "committing" });
  }

  channels(): ChannelBytes {
    const { networkBytes, storageBytes } = this.layer.channelBytes();
    return { network: { bytes: networkBytes }, storage: { bytes: storageBytes } };
  }

  /** Reports progress if it is due. @returns true when it was */
  progress(counts: Omit<ProgressCounts, "channels">): boolean {
    const now = this.runtime.clock.monotonicMs();
    if (!this.#meter.due(now)) return false;
    const body = this.#meter.report({ ...counts, channels: this.channels() }, now);
    this.#post({ type: "report", body });
    return true;
  }

  warn(warning: Pick<Warning, "code" | "message" | "path">): void {
    const body: Warning = { type: "warning", job: this.identity.job, ...warning };
    this.#post({ type: "report", body });
  }

  /** What a drill came to. */
  drilled(drill: Drill): void {
    this.#post({ type: "drill", drill });
  }

  /** A part of the plan of an expiry. */
  planned(items: readonly ExpiryItemView[]): void {
    const body: ExpiryPart = { type: "expiry", job: this.identity.job, items };
    this.#post({ type: "report", body });
  }

  /** A part of what a dry run of a restore found. */
  foreseen(items: readonly RestoreItemView[]): void {
    const body: RestorePart = { type: "restore", job: this.identity.job, items };
    this.#post({ type: "report", body });
  }

  /** What was found of archived logs. */
  examined(items: readonly WalArchiveView[]): void {
    const body: WalArchivePart = { type: "wal-archives", job: this.identity.job, items };
    this.#post({ type: "report", body });
  }

  /** Takes a connection that the main thread accepted. */
  adopt(connection: RelayedConnection): void {
    const { port, localAddr, remoteAddr, peerName, role, setup } = connection;
    const conn = new RelayConn(port, { localAddr, remoteAddr, peerName });
    const descriptor = this.layer.adopt(conn, connection.alreadyBytes);
    const adopted = { descriptor, setup, steps: connection.steps ?? [] };
    for (const step of setup?.steps ?? []) this.#record(step);
    const waiting = this.#waiting.get(role);
    this.#waiting.delete(role);
    if (waiting === undefined) this.#arrived.set(role, adopted);
    else waiting(adopted);
  }

  /** Waits for the next relayed connection of a role. */
  relayed(role: Role, signal: AbortSignal = this.signal): Promise<Adopted> {
    const arrived = this.#arrived.get(role);
    this.#arrived.delete(role);
    if (arrived !== undefined) return Promise.resolve(arrived);
    const waiting = new Promise<Adopted>((resolve) => this.#waiting.set(role, resolve));
    return orCancelled(waiting, signal);
  }

  /** Asks for a thread that writes small files; its port comes once it has started. */
  writer(): Promise<MessagePort> {
    this.#post({ type: "writer" });
    return new Promise((resolve) => this.#takeWriter = resolve);
  }

  /** Takes the port of the thread that `writer` asked for. */
  lendWriter(port: MessagePort): void {
    this.#takeWriter(port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.layer[Symbol.asyncDispose]();
  }

  #record(step: FlowStep): void {
    this.#steps.push(step);
    this.#post({ type: "steps", steps: [step] });
  }
}
