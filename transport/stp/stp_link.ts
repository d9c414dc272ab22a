// The protocol of one connection without its stream face: polls the peer's control block, keeps
// cursors and life cycle, publishes our own block, and watches the peer's host.
//
// endpoint_state.ts and cursors.ts decide; this shell performs.
//
// Invariants:
//  1. Everything from the peer's block is checked before it is used; what is impossible is
//     ignored and counted.
//  2. The endpoint is released only when no write of ours to its extent or block is under way, and
//     nothing is written after that. Who takes it back is told whether all writes are known to
//     have landed ("drained").
//  3. A failure is kept: every later call rejects with it.
//  4. Nothing is written, not even the end, when the fence says that our host may count as dead.
//  5. A connection ends in bounded time after its peer did, whatever hides the peer's last block.

import { cancellation } from "../ground/cancellation.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion } from "../volume.ts";
import { type ConnectionIds, sameEndpoint } from "./control_block.ts";
import { ReceiveWindow, SendWindow } from "./cursors.ts";
import { sayFarewell } from "./endpoint_farewell.ts";
import { EndpointRelease } from "./endpoint_release.ts";
import {
  type EndpointEvent,
  type EndpointState,
  isOlderUse,
  nextEndpointState,
  OPEN,
  peerEvent,
  type Phase,
} from "./endpoint_state.ts";
import type { FrameBudget } from "./frame_budget.ts";
import type { FrameEntry, FrameVerdict } from "./frame_entry.ts";
import type { IdleLadder } from "./idle_ladder.ts";
import type { OwnControl } from "./own_control.ts";
import { PeerControl } from "./peer_control.ts";
import { PeerWatch } from "./peer_watch.ts";
import { windowFrames } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import type { ThreadTurns } from "./thread_turns.ts";
import type { WriteFence } from "./write_fence.ts";

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
  readonly fence: WriteFence;
  readonly budget: FrameBudget;
  /** Gives the endpoint back, once; `drained` when no write of ours can land any more. */
  readonly release: (drained: boolean) => void;
}

export class StpLink {
  readonly send: SendWindow;
  readonly receive: ReceiveWindow;
  readonly ids: ConnectionIds;
  readonly turns: ThreadTurns;
  readonly medium: StgMedium;
  /** True when the peer said that it waits for credit, until we published our cursor. */
  peerBlocked = false;
  /** True when the control volume answered with a promise. */
  asynchronous = false;
  /** Called when the peer asks for a frame that it did not acknowledge. */
  onAsked: (seq: number) => void = () => {};
  /** Called once, when the endpoint is given back. */
  onReleased: () => void = () => {};
  readonly own: OwnControl;
  readonly budget: FrameBudget;
  readonly #peer: PeerControl;
  readonly #watch: PeerWatch;
  readonly #fence: WriteFence;
  /** Around every write to our slots; gives the endpoint back. */
  readonly release: EndpointRelease;
  #state: EndpointState = OPEN;
  #failure: AgentError | null = null;
  #seenChanges = 0;
  #seenRequests = 0;
  /** The peer's final count; -1 until it is known, then for good. */
  #finFrames = -1;
  readonly #expected = { seq: 0, streamOffset: 0, payloadBytes: 0, slotsPerVolume: 0 };
  /** Since when the peer's block cannot be read or is old; -1 when it is good. */
  #badSinceMs = -1;
  #newsMs: number;
  #lookedMs: number;
  #publishedMs: number;

  constructor(options: StpLinkOptions) {
    const { medium, ids } = options;
    const { layout } = medium.identity;
    this.medium = medium;
    this.ids = ids;
    this.turns = options.turns;
    this.turns.join();
    this.send = new SendWindow(windowFrames(layout));
    this.receive = new ReceiveWindow(windowFrames(layout), layout.payloadBytes);
    this.own = options.own;
    this.budget = options.budget;
    this.#fence = options.fence;
    this.release = new EndpointRelease({
      tellDrained: () => this.#tell(),
      release: (drained) => this.#giveBack(options, drained),
    });
    this.#peer = new PeerControl(medium.controlVolume, layout, ids);
    this.#watch = new PeerWatch(medium, ids.peer);
    this.#newsMs = medium.clock.monotonicMs();
    this.#lookedMs = this.#publishedMs = this.#newsMs;
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
    const changed = this.own.block.blocked !== blocked;
    this.own.block.blocked = blocked;
    if (changed && blocked) this.own.block.creditWaits += 1;
    return changed;
  }

  /** Grows when the peer took or asked for something: for a `close` that waits for it. */
  get progress(): number {
    return this.send.ackedFrames + this.#seenRequests;
  }

  /**
   * Before each batch of writes. Costs a comparison on most calls.
   * @throws (or rejects) AgentError `reset` when this host may count as dead, `volume`
   */
  guard(nowMs = this.medium.clock.monotonicMs()): Completion {
    try {
      const pending = this.#fence.guard(nowMs);
      if (pending === undefined) return undefined;
      return pending.catch((error: unknown) => {
        throw this.#fenced(error);
      });
    } catch (error) {
      throw this.#fenced(error);
    }
  }

  #fenced(error: unknown): unknown {
    if (!(error instanceof AgentError)) return error;
    this.fault(error.message, error);
    return this.#failure ?? error;
  }

  /** One write that tells the peer everything. @throws (or rejects) AgentError `volume`, `reset` */
  publish(nowMs = this.medium.clock.monotonicMs()): Completion {
    const guarded = this.guard(nowMs);
    return guarded === undefined ? this.#publish(nowMs) : guarded.then(() => this.#publish(nowMs));
  }

  /** Asks the peer to write frame `seq` again. @throws (or rejects) AgentError `volume` */
  askAgain(seq: number): Completion {
    this.own.block.askedFrame = seq + 1;
    this.own.block.requests++;
    return this.publish();
  }

  #publish(nowMs: number): Completion {
    if (this.release.done) return undefined;
    const { block } = this.own;
    block.kind = KIND_OF_PHASE[this.#state.phase];
    block.peer = this.ids.peer;
    block.finSent = this.#state.finSent;
    block.finAcked = this.#state.ended;
    block.finFrames = this.#state.finSent ? this.send.frames : 0;
    block.reason = this.#state.failure;
    block.undrained = this.#state.phase === "failed" && this.release.undrained;
    if (block.undrained) this.release.noteUndrained();
    if (block.askedFrame <= this.receive.frames) block.askedFrame = 0;
    block.producedFrames = this.send.doneFrames;
    block.producedBytes = this.send.doneBytes;
    this.send.publishedFrames = this.send.doneFrames;
    block.windowFrames = this.send.limit;
    block.consumedFrames = this.receive.frames;
    block.consumedBytes = this.receive.bytes;
    this.receive.publishedFrames = this.receive.frames;
    this.peerBlocked = false;
    this.#publishedMs = nowMs;
    const pending = this.own.publish();
    return pending === undefined ? undefined : this.release.holdFor(pending);
  }

  /** Looks for the descriptor of a frame in the peer's block as it was read last. */
  findFrame(seq: number, streamOffset: number, into: FrameEntry): FrameVerdict {
    const { payloadBytes, slotsPerVolume } = this.medium.identity.layout;
    const expected = this.#expected;
    expected.seq = seq;
    expected.streamOffset = streamOffset;
    expected.payloadBytes = payloadBytes;
    expected.slotsPerVolume = slotsPerVolume;
    return this.#peer.findFrame(expected, into);
  }

  /** The payload of a frame that was found inline; good until the next poll. */
  inlinePayload(lengthBytes: number): Uint8Array {
    return this.#peer.inlinePayload(lengthBytes);
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
      if (release) this.release.whenQuiet();
      throw error;
    }
    if (!release) return pending;
    if (pending !== undefined) return pending.finally(() => this.release.whenQuiet());
    this.release.whenQuiet();
    return undefined;
  }

  /** Fails the connection for a reason found on our side. */
  fault(reason: string, cause?: unknown): void {
    this.dispatch({ type: "fault", reason }, cause)?.catch(() => {});
  }

  /**
   * Polls; when the peer is silent for long, publishes again and judges its host.
   * @throws (or rejects) AgentError `volume`
   */
  async tend(): Promise<void> {
    const nowMs = this.medium.clock.monotonicMs();
    if (this.#lookDue(nowMs)) await this.#look(nowMs);
    await this.poll();
  }

  /** Reads the peer's block and takes what it says. @throws (or rejects) AgentError `volume` */
  poll(): Completion {
    const pending = this.#peer.poll();
    if (pending === undefined) return this.#takePeer();
    this.asynchronous = true;
    return pending.then(() => this.#takePeer());
  }

  /**
   * One step of waiting: undefined to poll again at once, else a promise.
   * @throws (or rejects) AgentError `cancelled`
   */
  pause(ladder: IdleLadder, signal: AbortSignal | undefined): Completion {
    if (signal?.aborted) throw cancellation(signal);
    if (ladder.blind()) return this.turns.pass();
    const nowMs = this.medium.clock.monotonicMs();
    if (this.#lookDue(nowMs)) return this.#look(nowMs);
    const step = ladder.next(nowMs, this.turns.works);
    if (this.asynchronous && step !== "sleep") return this.turns.rest(this.send.underWay);
    if (step === "spin") return this.turns.pass();
    if (step === "yield") return this.turns.give();
    if (step === "doze") return this.turns.doze();
    return this.medium.clock.sleep(ladder.sleepMs, { signal });
  }

  #takePeer(): Completion {
    const { block, state } = this.#peer;
    if (state !== "ok") return this.#takeBadPeer();
    const older = isOlderUse(block.self, this.ids.peer);
    if (!older && !sameEndpoint(block.self, this.ids.peer)) {
      return both(this.#reachEnd(), () => this.dispatch({ type: "peer-freed" }));
    }
    if (older || block.changes < this.#seenChanges) {
      // A late write over a newer one: its owner writes again, or is found dead.
      this.own.block.badBlocks++;
      return this.#reachEnd();
    }
    this.#badSinceMs = -1;
    if (block.changes > this.#seenChanges) {
      this.#seenChanges = block.changes;
      this.peerBlocked = block.blocked;
      this.#newsMs = this.medium.clock.monotonicMs();
    }
    this.own.countCursor(this.send.acknowledge(block.consumedFrames, block.consumedBytes));
    this.own.countCursor(this.receive.announce(block));
    if (block.requests !== this.#seenRequests) this.#takeRequest(block.askedFrame - 1);
    if (block.finSent) this.#finFrames = block.finFrames;
    let life = this.#reachEnd();
    if (block.finAcked && this.#state.finSent) {
      life = both(life, () => this.dispatch({ type: "drained" }));
    }
    const event = peerEvent(block, this.ids);
    return event.type === "peer-open" ? life : both(life, () => this.dispatch(event));
  }

  /** The peer's final count holds whatever its block shows by now: it may have died since. */
  #reachEnd(): Completion {
    if (this.#state.ended || this.#finFrames !== this.receive.frames) return undefined;
    return this.dispatch({ type: "fin-reached" });
  }

  /** A block that is torn or old may become good; not for ever. */
  #takeBadPeer(): Completion {
    this.own.block.badBlocks++;
    const nowMs = this.medium.clock.monotonicMs();
    if (this.#badSinceMs < 0) this.#badSinceMs = nowMs;
    if (nowMs - this.#badSinceMs > this.medium.timing.healMs) {
      const { name } = this.medium.controlVolume;
      this.fault(`the peer's control block on volume "${name}" stayed unreadable`);
    }
    return this.#reachEnd();
  }

  #takeRequest(seq: number): void {
    this.#seenRequests = this.#peer.block.requests;
    if (seq >= this.send.ackedFrames && seq < this.send.doneFrames) this.onAsked(seq);
  }

  #lookDue(nowMs: number): boolean {
    const { lookMs } = this.#watch;
    if (nowMs - this.#lookedMs < lookMs) return false;
    return nowMs - this.#newsMs >= lookMs || nowMs - this.#publishedMs >= lookMs;
  }

  /** Writes our block again (a lost or damaged one heals) and judges the peer and its host. */
  async #look(nowMs: number): Promise<void> {
    this.#lookedMs = nowMs;
    await this.publish();
    const gone = await this.#watch.look();
    if (gone === null && !this.#isSilent(nowMs)) return;
    // What it published before it left, or while we did not look, is still there to be read.
    await this.poll();
    if (this.#state.peerDeaf && this.receive.announcedFrames >= this.#finFrames) return;
    if (gone !== null) return this.fault(gone, new AgentError("unreachable", gone));
    if (!this.#isSilent(nowMs)) return;
    this.fault(`the peer published nothing for ${this.medium.timing.silentMs} ms`);
  }

  /** Its host may live: a worker that was killed publishes nothing, whatever hid its end. */
  #isSilent(nowMs: number): boolean {
    return nowMs - this.#newsMs >= this.medium.timing.silentMs;
  }

  #publishFailure(cause: unknown): Completion {
    const { host, endpoint } = this.ids.peer;
    const name = `${this.medium.identity.name} host ${host} endpoint ${endpoint}`;
    const { failure } = this.#state;
    // What failed below says itself what it needs.
    const need = failure.includes(", need ") ? "" : ", need a peer that is there";
    this.#failure = new AgentError(
      "reset",
      `Cannot use storage connection "${name}": ${failure}${need}`,
      { cause },
    );
    return this.#tell();
  }

  /** Best effort: on a lost volume, or behind the fence, the peer finds out by itself. */
  #tell(): Completion {
    try {
      return this.publish()?.catch(() => {});
    } catch {
      return undefined;
    }
  }

  #giveBack(options: StpLinkOptions, drained: boolean): void {
    this.onReleased();
    this.turns.leave();
    options.release(drained);
    sayFarewell({
      medium: this.medium,
      ids: this.ids,
      own: this.own,
      peer: this.#peer,
      fence: this.#fence,
    });
  }
}

/** Neither is dropped: a rejection that nobody waits for would end the process. */
function both(first: Completion, next: () => Completion): Completion {
  if (first === undefined) return next();
  const second = async () => await next();
  return Promise.all([first, second()]).then(() => {});
}
