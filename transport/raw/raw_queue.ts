// Requests of raw volumes on one thread: hands them to the kernel, looks for the answers while
// there are any to come, and gives each to who asked.
//
// Invariants:
//  1. The bytes of a request belong to the kernel until its answer came, also after the request
//     failed as `timeout`: a bounce buffer is not used again before, and another request on the
//     same memory is refused.
//  2. A request that was given up is never repeated here: whether it lands, and when, is unknown.
//     Who repeats a write must write the same bytes to the same place.
//  3. Nothing is polled and no timer runs while no request waits for its answer; but a closed queue
//     looks now and then for what was given up, for the host has few queues.
//  4. What was answered short has failed.

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { DirectIo, DirectQueue } from "../runtime/direct_io.ts";
import { errnoName } from "../runtime/errno.ts";
import type { Clock } from "../runtime/runtime.ts";
import { BouncePool } from "./bounce_pool.ts";
import {
  IO_TIMEOUT_MS,
  LATE_CHECK_MS,
  LATE_PAUSE_MS_FIRST,
  LATE_PAUSE_MS_MAX,
  MICROTASKS_PER_LOOK,
  REQUESTS_MAX,
  WAIT_US,
  WAITING_MAX,
} from "./limits.ts";
import { LookPolicy } from "./look_policy.ts";
import { openDirectQueue } from "./open_direct_queue.ts";
import { type RawRequest, requestError, shortError, timeoutError } from "./request_error.ts";

export interface RawQueueParts {
  readonly directIo: DirectIo;
  readonly clock: Clock;
  /** How long a request may take; IO_TIMEOUT_MS when absent. */
  readonly timeoutMs?: number | undefined;
}

/** A request from submission to answer. */
interface Pending {
  readonly request: RawRequest;
  readonly askedMs: number;
  readonly answer: PromiseWithResolvers<void>;
  /** Memory that the kernel sees: the caller's, or a bounce buffer. Null while it waits. */
  memory: Uint8Array | null;
  /** The caller was told `timeout`. */
  givenUp: boolean;
}

export class RawQueue {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #queue: DirectQueue;
  readonly #bounce: BouncePool;
  readonly #places: (Pending | null)[] = new Array(REQUESTS_MAX).fill(null);
  readonly #free: number[] = Array.from({ length: REQUESTS_MAX }, (_, index) => index);
  readonly #waiting: Pending[] = [];
  readonly #policy: LookPolicy;
  /** Requests that somebody waits for: in flight and not given up. */
  #awaited = 0;
  #givenUp = 0;
  #looking = false;
  /** When to look next for requests that are late. */
  #checkMs = 0;
  #sleep: AbortController | null = null;
  #closed = false;
  readonly #ended = Promise.withResolvers<void>();

  /** @throws AgentError `unsupported` | `no_space` when the kernel gives no queue */
  constructor({ directIo, clock, timeoutMs = IO_TIMEOUT_MS }: RawQueueParts) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#bounce = new BouncePool(directIo);
    this.#policy = new LookPolicy(clock.monotonicMs());
    this.#queue = openDirectQueue(directIo, REQUESTS_MAX);
  }

  /**
   * Reads or writes at once or when there is a place.
   * @throws (rejects) AgentError `volume`, `no_space`, `timeout`, `busy`
   */
  submit(request: RawRequest): Promise<void> {
    assert(!this.#closed, "the queue is open");
    const nowMs = this.#clock.monotonicMs();
    const refusal = this.#refusal(request);
    if (refusal !== null) return Promise.reject(refusal);
    const answer = Promise.withResolvers<void>();
    const pending: Pending = { request, askedMs: nowMs, answer, memory: null, givenUp: false };
    this.#waiting.push(pending);
    this.#policy.active(nowMs);
    this.#start();
    this.#sleep?.abort();
    if (!this.#looking) void this.#look();
    return answer.promise;
  }

  /**
   * Requests are answered still; the kernel's queue goes when it is empty, also of what was given
   * up. Idempotent.
   * @returns when nothing is awaited any more: the thread may end
   */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#closeWhenEmpty();
    }
    return this.#ended.promise;
  }

  /** Hands waiting requests to the kernel while there is room. */
  #start(): void {
    for (let pending = this.#waiting[0]; pending !== undefined; pending = this.#waiting[0]) {
      const place = this.#free.at(-1);
      const memory = place === undefined ? null : this.#memoryFor(pending.request);
      if (place === undefined || memory === null) return;
      this.#waiting.shift();
      this.#free.pop();
      this.#places[place] = pending;
      pending.memory = memory;
      this.#awaited += 1;
      this.#hand(pending, place, memory);
    }
  }

  /** Null when all bounce buffers are in use. */
  #memoryFor({ operation, bytes, direct }: RawRequest): Uint8Array | null {
    if (direct) return bytes;
    const memory = this.#bounce.take(bytes.length);
    if (memory !== null && operation === "write") memory.set(bytes);
    return memory;
  }

  #hand(pending: Pending, place: number, memory: Uint8Array): void {
    const { operation, descriptor, offsetBytes } = pending.request;
    try {
      this.#queue.submit({ operation, descriptor, offsetBytes, bytes: memory, token: place });
    } catch (cause) {
      this.#release(pending, place);
      pending.answer.reject(requestError(pending.request, cause));
    }
  }

  readonly #onCompletion = (place: number, result: number): void => {
    const pending = this.#places[place];
    assert(pending !== null && pending !== undefined, "an answer belongs to a request in flight");
    const { request, memory, answer, givenUp } = pending;
    const whole = result === request.bytes.length;
    if (whole && !givenUp && !request.direct && request.operation === "read" && memory !== null) {
      request.bytes.set(memory);
    }
    this.#release(pending, place);
    if (givenUp || whole) answer.resolve(); // Given up: it was rejected already.
    else if (result < 0) answer.reject(requestError(request, errnoName(-result)));
    else answer.reject(shortError(request, result));
  };

  #release(pending: Pending, place: number): void {
    const { request, memory, givenUp } = pending;
    if (!request.direct && memory !== null) this.#bounce.give(memory);
    this.#places[place] = null;
    this.#free.push(place);
    if (givenUp) this.#givenUp -= 1;
    else this.#awaited -= 1;
  }

  /** The loop: runs while a request is awaited. */
  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#awaited > 0 || this.#waiting.length > 0) {
      for (let tick = 0; tick < MICROTASKS_PER_LOOK; tick++) await null;
      const answered = this.#queue.reap(WAIT_US, this.#onCompletion) > 0;
      const nowMs = this.#clock.monotonicMs();
      if (answered) this.#policy.active(nowMs);
      if (nowMs >= this.#checkMs) this.#giveUpLate(nowMs);
      this.#start();
      await this.#before(this.#policy.next(nowMs, answered));
    }
    this.#looking = false;
    if (this.#closed) this.#closeWhenEmpty();
  }

  async #before(step: ReturnType<LookPolicy["next"]>): Promise<void> {
    if (step.kind === "nothing") return;
    if (step.kind === "turn") await this.#clock.yield();
    else await this.#sleepFor(step.ms);
    this.#policy.turned(this.#clock.monotonicMs());
  }

  /** A new request ends the sleep. */
  async #sleepFor(ms: number): Promise<void> {
    this.#sleep = new AbortController();
    try {
      await this.#clock.sleep(ms, { signal: this.#sleep.signal });
    } catch {
      // Ended by a request.
    }
    this.#sleep = null;
  }

  #giveUpLate(nowMs: number): void {
    this.#checkMs = nowMs + LATE_CHECK_MS;
    const isLate = (pending: Pending) => nowMs - pending.askedMs >= this.#timeoutMs;
    for (const pending of this.#places) {
      if (pending === null || pending.givenUp || !isLate(pending)) continue;
      pending.givenUp = true;
      this.#awaited -= 1;
      this.#givenUp += 1;
      pending.answer.reject(timeoutError(pending.request, this.#timeoutMs));
    }
    // The first is the oldest.
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!isLate(first)) return;
      this.#waiting.shift();
      first.answer.reject(timeoutError(first.request, this.#timeoutMs));
    }
  }

  /** Why the request cannot be taken; null when it can. */
  #refusal(request: RawRequest): AgentError | null {
    if (this.#waiting.length >= WAITING_MAX) {
      const found = `${WAITING_MAX} requests wait already`;
      return requestError(request, new AgentError("busy", found));
    }
    if (this.#givenUp === 0 || !request.direct) return null;
    const taken = this.#places.some((pending) =>
      pending?.givenUp === true && pending.request.direct &&
      overlap(pending.request.bytes, request.bytes)
    );
    return taken ? timeoutError(request, this.#timeoutMs) : null;
  }

  #closeWhenEmpty(): void {
    if (this.#awaited > 0 || this.#waiting.length > 0 || this.#looking) return;
    void this.#closeAfterLate();
    this.#ended.resolve();
  }

  /**
   * What was given up may land later: until then the kernel would wait inside the call. A thread
   * that ends before leaves its queue to the end of the process.
   */
  async #closeAfterLate(): Promise<void> {
    let pauseMs = LATE_PAUSE_MS_FIRST;
    for (;;) {
      if (this.#givenUp > 0) this.#queue.reap(0, this.#onCompletion);
      if (this.#givenUp === 0) return this.#queue.close();
      await this.#clock.sleep(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LATE_PAUSE_MS_MAX);
    }
  }
}

function overlap(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.length &&
    b.byteOffset < a.byteOffset + a.length;
}
