// A kernel queue for tests: requests wait until the test answers them, and a clock that moves only
// when somebody sleeps or the test says so.

import type { WaitOptions } from "../../../../transport/conn.ts";
import { cancellation } from "../../../../transport/ground/cancellation.ts";
import type {
  BlockDevice,
  DirectIo,
  DirectQueue,
  DirectRequest,
  OnCompletion,
} from "../../../../transport/runtime/direct_io.ts";
import { SystemError } from "../../../../transport/runtime/files.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";

export class FakeDirectIo implements DirectIo, DirectQueue {
  /** What `submit` took and nobody answered, by token. */
  readonly inFlight = new Map<number, DirectRequest>();
  /** Requests ever taken. */
  taken = 0;
  /** Most requests that were in flight at once. */
  most = 0;
  closed = 0;
  reaps = 0;
  /** Errno that `openQueue` or `submit` fails with. */
  openFailure: string | null = null;
  submitFailure: string | null = null;
  /** Answers each request at once, whole, unless the test changed it. */
  answer: ((request: DirectRequest) => number | null) | null = (request) => request.bytes.length;
  readonly #memory = new WeakSet<ArrayBufferLike>();
  readonly #answers: [token: number, result: number][] = [];

  allocate(bytes: number): Uint8Array {
    const memory = new Uint8Array(bytes);
    this.#memory.add(memory.buffer);
    return memory;
  }

  suits(bytes: Uint8Array, alignmentBytes: number): boolean {
    return this.#memory.has(bytes.buffer) && bytes.byteOffset % alignmentBytes === 0;
  }

  blockDevice(): BlockDevice {
    throw new SystemError("ENOTTY", "ioctl", "descriptor");
  }

  openQueue(): DirectQueue {
    if (this.openFailure !== null) throw new SystemError(this.openFailure, "io_setup", "queue");
    return this;
  }

  submit(request: DirectRequest): void {
    if (this.submitFailure !== null) throw new SystemError(this.submitFailure, "io_submit", "q");
    if (this.inFlight.has(request.token)) throw new Error(`token ${request.token} is in flight`);
    this.inFlight.set(request.token, request);
    this.taken += 1;
    this.most = Math.max(this.most, this.inFlight.size);
    const result = this.answer?.(request) ?? null;
    if (result !== null) this.#answers.push([request.token, result]);
  }

  /** Answers the request at `offsetBytes` that is in flight. */
  finish(offsetBytes: number, result?: number): void {
    for (const [token, request] of this.inFlight) {
      if (request.offsetBytes !== offsetBytes) continue;
      this.#answers.push([token, result ?? request.bytes.length]);
      return;
    }
    throw new Error(`nothing is in flight at ${offsetBytes}`);
  }

  reap(_waitUs: number, onCompletion: OnCompletion): number {
    this.reaps += 1;
    const answers = this.#answers.splice(0);
    for (const [token, result] of answers) {
      this.inFlight.delete(token);
      onCompletion(token, result);
    }
    return answers.length;
  }

  close(): void {
    if (this.inFlight.size > 0) throw new Error("the kernel would wait");
    this.closed += 1;
  }
}

/** Sleeps take no time and move the clock. */
export class JumpClock implements Clock {
  nowMs = 0;
  sleeps = 0;

  monotonicMs(): number {
    this.nowMs += 0.01;
    return this.nowMs;
  }

  wallMs(): number {
    return 0;
  }

  async sleep(ms: number, { signal }: WaitOptions = {}): Promise<void> {
    this.sleeps += 1;
    await this.yield();
    if (signal?.aborted) throw cancellation(signal);
    this.nowMs += ms;
  }

  doze(): void {}

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
