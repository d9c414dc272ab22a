// Two ends of a job's link over a network that is cut at given bytes and connected again by the
// near end, as the server's end does; the far end is connected to, as the client's.

import { JobLink } from "../../../../agent/job/link.ts";
import { REJOIN_PAUSE_MAX_MS, TELL_TIMEOUT_MS } from "../../../../agent/job/limits.ts";
import type { LinkConns } from "../../../../agent/job/network_rejoin.ts";
import type { Address, Conn, WaitOptions } from "../../../../transport/conn.ts";
import { ConnBase } from "../../../../transport/conn_base.ts";
import { cancellation } from "../../../../transport/ground/cancellation.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { type MemoryConn, memoryPair } from "../../../../transport/memory/mod.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";
import { clock } from "./link_bed.ts";

const at = (port: number): Address => ({ family: "AF_MEMORY", address: "test", port });

/**
 * What becomes of a network at a cut: all ends break; the control or the errors connection alone
 * does; or the near ends break and the far ones hear nothing more.
 */
export type CutKind = "all" | "control" | "errors" | "far-silent";

/** A network that carries so many bytes, both ways together. */
export interface Cut {
  readonly afterBytes: number;
  readonly kind: CutKind;
}

/** Pauses between tries take no time; limits are over at once when `stop` was called. */
export class HurriedClock implements Clock {
  readonly #stopped = Promise.withResolvers<void>();

  stop(): void {
    this.#stopped.resolve();
  }

  monotonicMs(): number {
    return clock.monotonicMs();
  }

  wallMs(): number {
    return 0;
  }

  doze(): void {}

  yield(): Promise<void> {
    return clock.yield();
  }

  async sleep(ms: number, { signal }: WaitOptions = {}): Promise<void> {
    if (ms <= Math.max(REJOIN_PAUSE_MAX_MS, TELL_TIMEOUT_MS)) {
      for (let turn = 0; turn < 3; turn++) await clock.yield();
      if (signal?.aborted) throw cancellation(signal);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      void this.#stopped.promise.then(resolve);
      if (signal?.aborted) return reject(cancellation(signal));
      signal?.addEventListener("abort", () => reject(cancellation(signal)), { once: true });
    });
  }
}

/** One end of a connection that may break, or fall silent, at any byte. */
class FragileConn extends ConnBase {
  readonly localAddr = at(1);
  readonly remoteAddr = at(2);
  readonly #inner: MemoryConn;
  readonly #spend: (bytes: number) => number;
  readonly #lost = Promise.withResolvers<never>();
  readonly #stop = new AbortController();
  #state: "up" | "silent" | "broken" = "up";

  constructor(inner: MemoryConn, spend: (bytes: number) => number) {
    super();
    this.#inner = inner;
    this.#spend = spend;
    this.#lost.promise.catch(() => {}); // Of interest to whoever reads or writes.
  }

  lose(state: "silent" | "broken"): void {
    if (this.#state === "broken") return;
    this.#state = state;
    this.#stop.abort();
    if (state === "broken") {
      this.#lost.reject(new AgentError("reset", "Cannot use the connection: the LAN was cut"));
    }
  }

  protected async receive(into: Uint8Array, signal?: AbortSignal): Promise<number | null> {
    if (this.#state === "up") {
      try {
        return await this.#inner.read(into, { signal: this.#either(signal) });
      } catch (error) {
        if (this.#state === "up") throw error;
      }
    }
    return await this.#orCancelled(signal);
  }

  protected async transmit(from: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (this.#state === "silent") return from.length;
    if (this.#state === "broken") return await this.#orCancelled(signal);
    const count = this.#spend(from.length);
    if (count === 0) return await this.transmit(from, signal);
    try {
      return await this.#inner.write(from.subarray(0, count), { signal: this.#either(signal) });
    } catch (error) {
      if (this.#state === "up") throw error;
      return await this.transmit(from, signal);
    }
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  abort(reason: string): void {
    if (this.#state === "up") this.#inner.abort(reason);
    this.lose("broken");
  }

  #either(signal?: AbortSignal): AbortSignal {
    return signal === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, signal]);
  }

  #orCancelled(signal?: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      this.#lost.promise.catch(reject);
      if (signal?.aborted) reject(cancellation(signal));
      signal?.addEventListener("abort", () => reject(cancellation(signal)), { once: true });
    });
  }
}

export interface CutBedOptions {
  readonly cuts: readonly Cut[];
  readonly connections: 1 | 2;
  readonly capacityBytes: number;
  readonly signal?: AbortSignal;
  /** Which end sends its records through a storage channel; without it, the network carries them. */
  readonly storage?: "near" | "far";
  /** The network comes back only then. */
  readonly mended?: Promise<void>;
}

export class CutBed {
  readonly near: JobLink;
  readonly far: JobLink;
  /** What each end was told: "cut" and "again". */
  readonly told: readonly [string[], string[]] = [[], []];
  /** Connections that were made in all. */
  made = 0;
  /** Fire when that end loses the storage. */
  readonly lost: readonly [AbortController, AbortController] = [
    new AbortController(),
    new AbortController(),
  ];
  readonly data: readonly [MemoryConn, MemoryConn];
  readonly #options: CutBedOptions;
  #pairs: readonly (readonly [FragileConn, FragileConn])[] = [];
  readonly #clock = new HurriedClock();

  constructor(options: CutBedOptions) {
    this.#options = options;
    const [near, far] = this.#connect();
    const signal = options.signal ?? new AbortController().signal;
    const common = { clock: this.#clock, signal, numbered: true };
    this.near = new JobLink(near, common);
    this.far = new JobLink(far, common);
    this.near.outliveCuts({
      ...this.#reports(0),
      connect: async () => {
        await options.mended;
        if (this.far.over.aborted) throw new AgentError("auth", "The job is over");
        const [near, far] = this.#connect();
        this.far.takeOver(far);
        return near;
      },
    });
    this.far.outliveCuts({ ...this.#reports(1), connect: null });
    this.near.over.addEventListener("abort", () => this.#clock.stop()); // Nobody connects again.
    this.data = memoryPair(at(7), at(8), options);
    for (const end of [0, 1] as const) this.#attachStorage(end);
  }

  /** Cuts the network now, as seen by both ends. */
  cut(): void {
    for (const ends of this.#pairs) for (const end of ends) end.lose("broken");
  }

  #attachStorage(end: 0 | 1): void {
    const { storage } = this.#options;
    if (storage === undefined) return;
    const sends = (storage === "near") === (end === 0);
    (end === 0 ? this.near : this.far).attachStorage(this.data[end], {
      side: end === 0 ? "server" : "client",
      direction: sends ? "send" : "receive",
      mayFallBack: true,
      lost: this.lost[end].signal,
      onFallback: () => this.told[end].push("fallback"),
    });
  }

  #reports(end: 0 | 1) {
    const told = this.told[end];
    return { onCut: () => told.push("cut"), onRejoined: () => told.push("again") };
  }

  #connect(): [LinkConns, LinkConns] {
    const { connections, capacityBytes, cuts } = this.#options;
    const cut = cuts[this.made++] ?? { afterBytes: Number.POSITIVE_INFINITY, kind: "all" };
    let left = cut.afterBytes;
    const spend = (bytes: number): number => {
      const count = Math.min(bytes, left);
      left -= count;
      if (count > 0) return count;
      this.#cut(pairs, cut.kind);
      left = Number.POSITIVE_INFINITY; // Of a connection that still stands.
      return 0;
    };
    const pairs = Array.from({ length: connections }, (_, index) => {
      const [near, far] = memoryPair(at(index), at(9), { capacityBytes });
      return [new FragileConn(near, spend), new FragileConn(far, spend)] as const;
    });
    this.#pairs = pairs;
    const end = (side: 0 | 1): LinkConns => {
      const [control, errors] = pairs.map((pair): Conn => pair[side]);
      if (control === undefined) throw new Error("one connection at least");
      return { control, errors: errors ?? null };
    };
    return [end(0), end(1)];
  }

  #cut(pairs: readonly (readonly [FragileConn, FragileConn])[], kind: CutKind): void {
    for (const [index, [near, far]] of pairs.entries()) {
      if (kind === "control" && index === 1) continue;
      if (kind === "errors" && index === 0 && pairs.length === 2) continue;
      near.lose("broken");
      far.lose(kind === "far-silent" ? "silent" : "broken");
    }
  }
}
