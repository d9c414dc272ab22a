// What one attached host did, by device: figures that only that host counts. Pure.
//
// The figures of a host are one block of 64-bit floats, so that publishing them is one copy
// (host_row.ts); counts stay exact up to 2^53. First come those of the whole host, then those of
// each device.

import { assert } from "../transport/ground/assert.ts";

/** Places of the figures of the host as a whole: waits for boards that another had. */
const WAITS = 0;
const WAIT_MICROS = 1;
const HOST_FIGURES = 2;

/**
 * Places of the figures of a device: `reads` and `writes` count requests, those in bytes are
 * bytes, all others count tracks. A new one goes to the end.
 */
const PLACE = {
  reads: 0,
  writes: 1,
  readBytes: 2,
  writtenBytes: 3,
  hits: 4,
  misses: 5,
  stages: 6,
  destages: 7,
  evictions: 8,
  delayedWrites: 9,
  prefetches: 10,
  prefetchesUsed: 11,
  prefetchesWasted: 12,
} as const;
const FIGURES = 13;

export type DeviceFigure = keyof typeof PLACE;
export type DeviceFigures = Readonly<Record<DeviceFigure, number>>;
export interface HostWaits {
  readonly waits: number;
  readonly waitMicros: number;
}

export class HostStatistics {
  readonly devices: number;
  /** All figures, to be copied as they are. */
  readonly bytes: Uint8Array;
  readonly #values: Float64Array<ArrayBuffer>;

  constructor(devices: number) {
    this.devices = devices;
    this.#values = new Float64Array(HOST_FIGURES + devices * FIGURES);
    this.bytes = new Uint8Array(this.#values.buffer);
  }

  count(device: number, figure: DeviceFigure, delta: number): void {
    const at = HOST_FIGURES + device * FIGURES + PLACE[figure];
    this.#values[at] = (this.#values[at] ?? 0) + delta;
  }

  countWait(micros: number): void {
    this.#values[WAITS] = (this.#values[WAITS] ?? 0) + 1;
    this.#values[WAIT_MICROS] = (this.#values[WAIT_MICROS] ?? 0) + micros;
  }

  /** Adds the figures of another host of the same array. */
  add(other: HostStatistics): void {
    assert(other.devices === this.devices, "figures of one array have the same devices");
    for (let at = 0; at < this.#values.length; at++) {
      this.#values[at] = (this.#values[at] ?? 0) + (other.#values[at] ?? 0);
    }
  }

  waits(): HostWaits {
    return {
      waits: this.#values[WAITS] ?? 0,
      waitMicros: Math.round(this.#values[WAIT_MICROS] ?? 0),
    };
  }

  ofDevice(device: number): DeviceFigures {
    const first = HOST_FIGURES + device * FIGURES;
    return figuresOf((figure) => this.#values[first + PLACE[figure]] ?? 0);
  }

  /** Over all devices. */
  total(): DeviceFigures {
    const all = Array.from({ length: this.devices }, (_, device) => this.ofDevice(device));
    return figuresOf((figure) => all.reduce((sum, one) => sum + one[figure], 0));
  }
}

function figuresOf(value: (figure: DeviceFigure) => number): DeviceFigures {
  return {
    reads: value("reads"),
    writes: value("writes"),
    readBytes: value("readBytes"),
    writtenBytes: value("writtenBytes"),
    hits: value("hits"),
    misses: value("misses"),
    stages: value("stages"),
    destages: value("destages"),
    evictions: value("evictions"),
    delayedWrites: value("delayedWrites"),
    prefetches: value("prefetches"),
    prefetchesUsed: value("prefetchesUsed"),
    prefetchesWasted: value("prefetchesWasted"),
  };
}
