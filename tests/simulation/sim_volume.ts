// One process's handle on a simulated volume: synchronous or asynchronous, with the faults that
// real storage has.
//
// Invariants: without faults it keeps the volume contract. A process that crashed never hears of
// its operations again; what it had under way lands or not.

import type { Completion, Volume } from "../../transport/volume.ts";
import { type FaultInjector, REACH } from "./fault_plan.ts";
import type { WriteRules } from "./write_rules.ts";
import type { SimClock } from "./sim_clock.ts";
import { flipBit, type SimMedium } from "./sim_medium.ts";
import type { SimProcess } from "./sim_process.ts";

const SECTOR_BYTES = 512;
/** Parts of a torn operation. */
const PARTS_MAX = 5;
/** A write under way when its process crashed lands with this probability. */
const LANDS_AFTER_CRASH = 0.5;

export interface SimVolumeOptions {
  readonly index: number;
  /** Of the host; it decides which dead volumes it sees. */
  readonly hostName: string;
  readonly synchronous: boolean;
  readonly medium: SimMedium;
  readonly clock: SimClock;
  readonly process: SimProcess;
  readonly faults: FaultInjector;
  readonly rules: WriteRules;
}

type Part = readonly [start: number, end: number];

export class SimVolume implements Volume {
  readonly name: string;
  readonly blockBytes = SECTOR_BYTES;
  readonly retains: boolean;
  readonly #options: SimVolumeOptions;
  /** When the newest operation completes, on a volume that keeps their order. */
  #lastMs = 0;

  constructor(options: SimVolumeOptions) {
    this.#options = options;
    this.name = `v${options.index}`;
    this.retains = options.synchronous && options.faults.retains;
  }

  get sizeBytes(): number {
    return this.#options.medium.bytes.length;
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  close(): void {}

  read(offsetBytes: number, into: Uint8Array): Completion {
    this.#checkRange(offsetBytes, into);
    const { faults, synchronous } = this.#options;
    const error = this.#errorOf("read");
    const takesMs = this.#takesMs();
    if (synchronous) {
      this.#options.clock.spend(takesMs);
      if (error !== null) throw error;
      this.#fetch(offsetBytes, into, faults.strikes("torn_read") ? REACH.tornMs : 0);
      return undefined;
    }
    const torn = faults.strikes("torn_read");
    for (const part of torn ? this.#parts(into.length) : [[0, into.length] as const]) {
      this.#options.clock.after(faults.random.between(0, takesMs), () => {
        this.#fetch(offsetBytes + part[0], into.subarray(...part), 0);
      });
    }
    return this.#completed(takesMs, error);
  }

  write(offsetBytes: number, from: Uint8Array): Completion {
    this.#checkRange(offsetBytes, from);
    const { faults, synchronous, rules, process, index } = this.#options;
    const sent = from.slice();
    const fate = rules.submit({ process, volumeIndex: index, offsetBytes, image: sent });
    const error = this.#errorOf("write");
    const takesMs = this.#takesMs();
    const flipped = faults.strikes("flip_medium");
    const image = flipped ? sent.slice() : sent;
    if (flipped) flipBit(image, faults.random.below(image.length * 8));
    if (error === null) this.#land(offsetBytes, image, takesMs);
    else if (faults.active("late")) {
      const landMs = faults.random.below(REACH.lateMs);
      this.#landLater(offsetBytes, image, landMs, fate.landsLate);
    }
    if (!synchronous) {
      return this.#completed(takesMs, error, () => {
        rules.checkUntouched(process, from, sent);
        if (error === null) fate.done();
      });
    }
    this.#options.clock.spend(takesMs);
    if (error !== null) throw error;
    fate.done();
    return undefined;
  }

  #land(offsetBytes: number, image: Uint8Array, takesMs: number): void {
    const { faults, synchronous } = this.#options;
    const { random } = faults;
    if (faults.strikes("lost")) return;
    if (faults.strikes("duplicate")) {
      this.#landLater(offsetBytes, image, takesMs + random.below(REACH.duplicateMs));
    }
    if (faults.strikes("torn_write")) {
      const reachMs = synchronous ? REACH.tornMs : takesMs;
      const parts = this.#parts(image.length);
      for (const [start, end] of parts) {
        const atMs = random.between(0, reachMs);
        this.#landLater(offsetBytes + start, image.subarray(start, end), atMs);
      }
      return;
    }
    const slow = synchronous && (faults.strikes("delay") || faults.strikes("reorder"));
    if (slow) this.#landLater(offsetBytes, image, random.between(0, REACH.delayMs));
    else if (synchronous) this.#options.medium.land(offsetBytes, image);
    else this.#landLater(offsetBytes, image, random.between(0, takesMs));
  }

  #landLater(
    offsetBytes: number,
    image: Uint8Array,
    ms: number,
    tell: () => void = () => {},
  ): void {
    const { clock, process, faults, medium } = this.#options;
    clock.after(ms, () => {
      const cut = process.state === "crashed" && !faults.random.chance(LANDS_AFTER_CRASH);
      if (cut) return;
      tell();
      medium.land(offsetBytes, image);
    });
  }

  #fetch(offsetBytes: number, into: Uint8Array, mixMs: number): void {
    const { faults, medium, clock } = this.#options;
    const { random } = faults;
    const stale = faults.strikes("stale") ? random.between(0, REACH.staleMs) : 0;
    const atMs = stale > 0 ? clock.nowMs - stale : Infinity;
    medium.fetch(offsetBytes, into, atMs);
    if (mixMs > 0) {
      for (const [start, end] of this.#parts(into.length)) {
        const partMs = clock.nowMs - random.between(0, mixMs);
        medium.fetch(offsetBytes + start, into.subarray(start, end), partMs);
      }
    }
    if (faults.strikes("flip_transit")) flipBit(into, random.below(into.length * 8));
  }

  /** What this operation fails with, or null. */
  #errorOf(verb: "read" | "write"): Error | null {
    const { faults, index, hostName, rules, process } = this.#options;
    let found = "";
    if (faults.isDead(index, hostName)) found = "no such device";
    else if (verb === "write" && faults.strikes("late")) found = "timed out";
    else if (faults.strikes("io_error")) found = "input/output error";
    if (found === "") return null;
    rules.volumeFailed(process);
    return new Error(found);
  }

  #takesMs(): number {
    const { faults, synchronous, index } = this.#options;
    const { random } = faults;
    const slow = faults.active("slow_volume") && index === faults.slowVolume;
    if (synchronous) return slow ? random.between(0.2, 1) : 0.003;
    let ms = random.between(0.03, 0.2) * (slow ? 30 : 1);
    if (faults.strikes("delay")) ms += random.between(0, REACH.delayMs);
    if (faults.active("reorder")) return ms + random.between(0, REACH.reorderMs);
    return ms;
  }

  #completed(
    takesMs: number,
    error: Error | null,
    before: () => void = () => {},
  ): Promise<void> {
    const { clock, process, faults } = this.#options;
    let atMs = clock.nowMs + takesMs;
    if (!faults.active("reorder")) this.#lastMs = atMs = Math.max(atMs, this.#lastMs);
    return new Promise((resolve, reject) => {
      clock.after(atMs - clock.nowMs, () =>
        process.deliver(() => {
          before();
          if (error === null) resolve();
          else reject(error);
        }));
    });
  }

  /** Cuts `bytes` at random places. Not even a sector is atomic when it lies in memory. */
  #parts(bytes: number): Part[] {
    const { random, tearBytes } = this.#options.faults;
    const units = bytes / tearBytes;
    const cuts = new Set([0, units]);
    for (let i = 1; i < PARTS_MAX; i++) cuts.add(random.below(units));
    // Many tears of a control block are in its record or just behind it.
    if (random.chance(0.3)) cuts.add(Math.min(units, random.below(1024 / tearBytes)));
    const sorted = [...cuts].sort((a, b) => a - b);
    return sorted.slice(1).map((end, i) =>
      [(sorted[i] ?? 0) * tearBytes, end * tearBytes] as const
    );
  }

  #checkRange(offsetBytes: number, buffer: Uint8Array): void {
    const whole = offsetBytes % SECTOR_BYTES === 0 && buffer.length % SECTOR_BYTES === 0;
    const inside = offsetBytes >= 0 && offsetBytes + buffer.length <= this.sizeBytes;
    if (whole && inside && buffer.length > 0) return;
    const { rules, process } = this.#options;
    rules.fail(
      process,
      `${buffer.length} bytes at ${offsetBytes} of ${this.name}: no whole blocks`,
    );
  }
}
