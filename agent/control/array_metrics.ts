// The metrics of the emulated arrays that this daemon is attached to.
//
// Values are what `agent array status` shows. They are gauges, since a board that lost its power
// counts from 0 again; hosts of one name (a daemon and its jobs) are summed up.

import { Gauge, type Registry } from "prom-client";
import type { ArrayView } from "./array_view.ts";

const TRACK_FIGURES = [
  "reads",
  "writes",
  "hits",
  "misses",
  "stages",
  "destages",
  "evictions",
  "delayedWrites",
  "prefetches",
  "prefetchesUsed",
  "prefetchesWasted",
] as const;
const FIGURES = [...TRACK_FIGURES, "readBytes", "writtenBytes"] as const;
const WAIT_FIGURES = ["waits", "waitMicros"] as const;

export class ArrayMetrics {
  readonly #tracks: Gauge<"array" | "volume" | "state">;
  readonly #volumes: Gauge<"array" | "volume" | "kind">;
  readonly #boards: Gauge<"array" | "board" | "kind">;
  readonly #hosts: Gauge<"array" | "host" | "kind">;
  readonly #share: Gauge<"array" | "board">;
  readonly #hitRatio: Gauge<"array" | "volume">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#tracks = new Gauge({
      name: "agent_array_tracks",
      help: "Tracks of the volume that are in_cache, write_pending, damaged",
      labelNames: ["array", "volume", "state"],
      registers,
    });
    this.#volumes = new Gauge({
      name: "agent_array_volume_counts",
      help: "What hosts did on the volume since its boards were made, by kind",
      labelNames: ["array", "volume", "kind"],
      registers,
    });
    this.#boards = new Gauge({
      name: "agent_array_board_counts",
      help: "What happened on the memory board since it was made, by kind",
      labelNames: ["array", "board", "kind"],
      registers,
    });
    this.#hosts = new Gauge({
      name: "agent_array_host_counts",
      help: "What attached hosts of this name did, by kind",
      labelNames: ["array", "host", "kind"],
      registers,
    });
    this.#share = new Gauge({
      name: "agent_array_write_pending_share",
      help: "Share of the board's slots that are write pending",
      labelNames: ["array", "board"],
      registers,
    });
    this.#hitRatio = new Gauge({
      name: "agent_array_cache_hit_ratio",
      help: "Share of the volume's tracks that were in cache when asked for; absent before any was",
      labelNames: ["array", "volume"],
      registers,
    });
  }

  observe(arrays: readonly ArrayView[]): void {
    for (const gauge of [this.#tracks, this.#volumes, this.#boards]) gauge.reset();
    for (const gauge of [this.#hosts, this.#share, this.#hitRatio]) gauge.reset();
    for (const view of arrays) {
      this.#observeVolumes(view);
      this.#observeBoards(view);
      this.#observeHosts(view);
    }
  }

  #observeVolumes({ directory: array, devices }: ArrayView): void {
    for (const device of devices) {
      const volume = device.name;
      this.#tracks.set({ array, volume, state: "in_cache" }, device.inCache);
      this.#tracks.set({ array, volume, state: "write_pending" }, device.writePending);
      this.#tracks.set({ array, volume, state: "damaged" }, device.damaged);
      for (const kind of FIGURES) this.#volumes.set({ array, volume, kind }, device[kind]);
      const asked = device.hits + device.misses;
      if (asked > 0) this.#hitRatio.set({ array, volume }, device.hits / asked);
    }
  }

  #observeBoards({ directory: array, boards }: ArrayView): void {
    for (const view of boards) {
      const board = String(view.board);
      this.#share.set({ array, board }, view.pendingShare);
      for (const kind of [...TRACK_FIGURES, ...WAIT_FIGURES, "repairs"] as const) {
        this.#boards.set({ array, board, kind }, view[kind]);
      }
    }
  }

  #observeHosts({ directory: array, hosts }: ArrayView): void {
    for (const view of hosts.filter(({ attached }) => attached)) {
      const { host } = view;
      for (const kind of [...FIGURES, ...WAIT_FIGURES]) {
        this.#hosts.inc({ array, host, kind }, view[kind]);
      }
    }
  }
}
