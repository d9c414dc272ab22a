// The protocol of one connection without its stream face: polls the peer's control block, keeps
// cursors and life cycle, publishes our own block, and watches the peer's host.
//
// endpoint_state.ts and cursors.ts decide; this shell performs.
//
// Invariants:
//  1. Everything from the peer's block is checked before it is used; what is impossible is
//     ignored and counted.
//  2. The endpoint is released only when no write of ours to its extent is under way.
//  3. A failure is kept: every later call rejects with it.

import { assert } from "../ground/assert.ts";
import { cancellation } from "../ground/cancellation.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import { type ConnectionIds, type EndpointId, sameEndpoint } from "./control_block.ts";
import { type CursorVerdict, ReceiveWindow, SendWindow } from "./cursors.ts";
import {
  type EndpointEvent,
  type EndpointState,
  nextEndpointState,
  OPEN,
  peerEvent,
  type Phase,
} from "./endpoint_state.ts";
import type { IdleLadder } from "./idle_ladder.ts";
import type { OwnControl } from "./own_control.ts";
import { PeerControl } from "./peer_control.ts";
import { PeerWatch } from "./peer_watch.ts";
import { ringSlots } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import type { ThreadTurns } from "./thread_turns.ts";

const KIND_OF_PHASE = {
  open: "established",
  closing: "closing",
  freed: "free",
  failed: "aborted",
} as const satisfies Record<Phase, string>;

export interface StpLinkOptions {
  readonly medium: StgMedium;
  /** Already published as established. */
  readonly own: OwnControl;
  readonly ids: ConnectionIds;
  readonly turns: ThreadTurns;
  /** Gives the endpoint back, once. */
  readonly release: () => void;
}

export class StpLink {
  readonly send: SendWindow;
  readonly receive: ReceiveWindow;
  readonly ids: ConnectionIds;
  readonly turns: ThreadTurns;
  readonly medium: StgMedium;
  /** True when the peer said that it waits for credit, until we published our cursor. */
  peerBlocked = false;
  readonly #own: OwnControl;
  readonly #peer: PeerControl;
  readonly #watch: PeerWatch;
  readonly #release: () => void;
  #state: EndpointState = OPEN;
  #failure: AgentError | null = null;
  #busyWrites = 0;
  #releaseDue = false;
  #seenChanges = 0;
  /** Since when the peer's block cannot be read or is old; -1 when it is good. */
  #badSinceMs = -1;
  #newsMs: number;
  #lookedMs: number;

  constructor(options: StpLinkOptions) {
    const { medium, ids } = options;
    const { layout } = medium.identity;
    this.medium = medium;
    this.ids = ids;
    this.turns = options.turns;
    this.send = new SendWindow(ringSlots(layout));
    this.receive = new ReceiveWindow(ringSlots(layout), layout.payloadBytes);
    this.#own = options.own;
    this.#release = options.release;
    this.#peer = new PeerControl(medium.controlVolume, layout, ids.peer);
    this.#watch = new PeerWatch(medium, ids.peer);
    this.#newsMs = medium.clock.monotonicMs();
    this.#lookedMs = this.#newsMs;
  }

  get state(): EndpointState {
    return this.#state;
  }

  get failure(): AgentError | null {
    return this.#failure;
  }

  /** Since when the peer published nothing new, on our clock. */
  get newsMs(): number {
    return this.#newsMs;
  }

  /** Says that we wait for credit; the next `publish` tells the peer. @returns true when new */
  setBlocked(blocked: boolean): boolean {
    const changed = this.#own.block.blocked !== blocked;
    this.#own.block.blocked = blocked;
    return changed;
  }

  /** One write that tells the peer everything. @throws (or rejects) AgentError `volume` */
  publish(): Completion {
    const block = this.#own.block;
    block.kind = KIND_OF_PHASE[this.#state.phase];
    block.peer = this.ids.peer;
    block.finSent = this.#state.finSent;
    block.finAcked = this.#state.ended;
    block.finFrames = this.#state.finSent ? this.send.frames : 0;
    block.reason = this.#state.failure;
    block.producedFrames = this.send.frames;
    block.producedBytes = this.send.bytes;
    block.consumedFrames = this.receive.frames;
    block.consumedBytes = this.receive.bytes;
    this.receive.publishedFrames = this.receive.frames;
    this.peerBlocked = false;
    return this.#own.publish();
  }

  /** Takes an event of the life cycle and performs what follows from it. */
  dispatch(event: EndpointEvent, cause?: unknown): Completion {
    const { state, actions } = nextEndpointState(this.#state, event);
    this.#state = state;
    const release = actions.includes("release");
    let pending: Completion;
    try {
      if (actions.includes("publish")) pending = this.publish();
      if (actions.includes("publish-abort")) pending = this.#publishFailure(cause);
    } catch (error) {
      // Also when the volume failed: nobody else gives the endpoint back.
      if (release) this.#releaseWhenQuiet();
      throw error;
    }
    if (!release) return pending;
    if (pending !== undefined) return pending.finally(() => this.#releaseWhenQuiet());
    this.#releaseWhenQuiet();
    return undefined;
  }

  /** Fails the connection for a reason found on our side. */
  fault(reason: string, cause?: unknown): void {
    this.dispatch({ type: "fault", reason }, cause)?.catch(() => {});
  }

  /** True while the peer did not confirm all that we sent, the end included. */
  get unconfirmed(): boolean {
    if (this.#state.phase !== "open") return false;
    return this.send.ackedFrames < this.send.frames ||
      (this.#state.finSent && !this.#peer.block.finAcked);
  }

  /** Publishes again, judges the peer's host, and polls. @throws (rejects) AgentError `volume` */
  async tend(): Promise<void> {
    await this.#look(this.medium.clock.monotonicMs());
    await this.poll();
  }

  /** Counts a frame that did not prove itself. */
  countBadFrame(): void {
    this.#own.block.badFrames++;
  }

  /** Around every write to our extent. */
  beginWrite(): void {
    this.#busyWrites++;
  }

  endWrite(): void {
    this.#busyWrites--;
    assert(this.#busyWrites >= 0, "each write begins before it ends");
    if (this.#releaseDue) this.#releaseWhenQuiet();
  }

  /** Reads the peer's block and takes what it says. @throws (or rejects) AgentError `volume` */
  poll(): Completion {
    const pending = this.#peer.poll();
    return pending === undefined ? this.#takePeer() : pending.then(() => this.#takePeer());
  }

  /**
   * One step of waiting: undefined to poll again at once, else a promise.
   * @throws (or rejects) AgentError `cancelled`
   */
  pause(ladder: IdleLadder, signal: AbortSignal | undefined): Completion {
    if (signal?.aborted) throw cancellation(signal);
    const nowMs = this.medium.clock.monotonicMs();
    if (this.#lookDue(nowMs)) return this.#look(nowMs);
    const step = ladder.next(nowMs);
    if (step === "spin") return undefined;
    if (step === "yield") return this.turns.give();
    return this.medium.clock.sleep(ladder.sleepMs, { signal });
  }

  #takePeer(): Completion {
    const { block, state } = this.#peer;
    if (state !== "ok" || isOlder(block.self, this.ids.peer)) return this.#takeBadPeer();
    if (!sameEndpoint(block.self, this.ids.peer)) return this.dispatch({ type: "peer-freed" });
    if (block.changes < this.#seenChanges) return this.#takeBadPeer();
    this.#badSinceMs = -1;
    if (block.changes > this.#seenChanges) {
      this.#seenChanges = block.changes;
      this.peerBlocked = block.blocked;
      this.#newsMs = this.medium.clock.monotonicMs();
    }
    this.#countCursor(this.send.acknowledge(block.consumedFrames, block.consumedBytes));
    this.#countCursor(this.receive.announce(block.producedFrames, block.producedBytes));
    const life = this.#takeFin(block.finSent, block.finFrames, block.finAcked);
    const event = peerEvent(block, this.ids);
    return event.type === "peer-open" ? life : this.dispatch(event) ?? life;
  }

  #takeFin(peerFinSent: boolean, finFrames: number, finAcked: boolean): Completion {
    let pending: Completion;
    if (peerFinSent && !this.#state.ended && finFrames === this.receive.frames) {
      pending = this.dispatch({ type: "fin-reached" });
    }
    if (finAcked && this.#state.finSent) pending = this.dispatch({ type: "drained" }) ?? pending;
    return pending;
  }

  /** A block that is torn or old may become good; not for ever. */
  #takeBadPeer(): undefined {
    this.#own.block.badBlocks++;
    const nowMs = this.medium.clock.monotonicMs();
    if (this.#badSinceMs < 0) this.#badSinceMs = nowMs;
    if (nowMs - this.#badSinceMs > this.medium.timing.healMs) {
      const { name } = this.medium.controlVolume;
      this.fault(`the peer's control block on volume "${name}" stayed unreadable`);
    }
    return undefined;
  }

  #countCursor(verdict: CursorVerdict): void {
    if (verdict === "back" || verdict === "beyond") this.#own.block.badCursors++;
  }

  #lookDue(nowMs: number): boolean {
    const { watchMs } = this.medium.timing;
    return nowMs - this.#newsMs >= watchMs && nowMs - this.#lookedMs >= watchMs;
  }

  /** Writes our block again (a lost or damaged one heals) and judges the peer's host. */
  async #look(nowMs: number): Promise<void> {
    this.#lookedMs = nowMs;
    await this.publish();
    const gone = await this.#watch.look();
    if (gone !== null) this.fault(gone);
  }

  #publishFailure(cause: unknown): Completion {
    const { host, endpoint } = this.ids.peer;
    const name = `${this.medium.identity.name} host ${host} endpoint ${endpoint}`;
    this.#failure = new AgentError(
      "reset",
      `Cannot use storage connection "${name}": ${this.#state.failure}, need a peer that is there`,
      { cause },
    );
    try {
      // Best effort: on a lost volume the peer finds out by itself.
      return this.publish()?.catch(() => {});
    } catch {
      return undefined;
    }
  }

  #releaseWhenQuiet(): void {
    this.#releaseDue = this.#busyWrites > 0;
    if (!this.#releaseDue) this.#release();
  }
}

/** An earlier use of the same endpoint: a read that returned old bytes. */
function isOlder(found: EndpointId, expected: EndpointId): boolean {
  if (found.host !== expected.host || found.endpoint !== expected.endpoint) return false;
  if (found.boot !== expected.boot) return found.boot < expected.boot;
  return found.generation < expected.generation;
}
