// Time and yielding, the same code on both runtimes but for one measured number.
//
// Yielding: under Deno one setImmediate per slice starves the runtime's own I/O (HTTP p50 125 ms);
// about 16 chained ones keep it at p99 8-9 ms. Bun needs one.

import { setImmediate } from "node:timers";
import type { WaitOptions } from "../conn.ts";
import { cancellation } from "../ground/cancellation.ts";
import type { Clock, Random } from "./runtime.ts";

/** Largest delay that setTimeout keeps (2^31 - 1 ms, 24 days); a longer one would fire at once. */
const TIMER_MAX_MS = 0x7fff_ffff;

export class RuntimeClock implements Clock {
  readonly #immediatesPerYield: number;
  /** Nobody ever wakes those who wait on it. */
  readonly #dozeCell = new Int32Array(new SharedArrayBuffer(4));

  constructor(immediatesPerYield: number) {
    this.#immediatesPerYield = immediatesPerYield;
  }

  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  sleep(ms: number, options: WaitOptions = {}): Promise<void> {
    const signal = options.signal;
    if (signal?.aborted) return Promise.reject(cancellation(signal));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        if (signal !== undefined) reject(cancellation(signal));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, Math.min(Math.max(0, ms), TIMER_MAX_MS));
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  doze(ms: number): void {
    Atomics.wait(this.#dozeCell, 0, 0, ms);
  }

  yield(): Promise<void> {
    return new Promise((resolve) => {
      let left = this.#immediatesPerYield;
      const next = () => {
        left -= 1;
        if (left <= 0) resolve();
        else setImmediate(next);
      };
      setImmediate(next);
    });
  }
}

/** Random bytes of the operating system's generator. */
export class SystemRandom implements Random {
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    // The call fills at most 65536 bytes at a time.
    for (let at = 0; at < count; at += 65536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    }
    return bytes;
  }
}
