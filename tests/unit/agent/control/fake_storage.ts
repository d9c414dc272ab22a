// What the daemon for tests shows of its storage: a group and an array.

import type { ArrayDeviceMap, ArrayView, StgView } from "../../../../agent/control/mod.ts";

export const STG: StgView = {
  name: "stg0",
  state: "up",
  reason: null,
  hint: null,
  uuid: "u",
  host: 1,
  volumes: ["v0"],
  hosts: [{
    host: 1,
    name: "vault01",
    generation: 3,
    attached: true,
    live: true,
    heartbeatAgeMs: 12,
    volumes: ["v0"],
    deadMs: 10_000,
    ports: [49152],
    endpoints: { total: 16, used: 2, quarantined: 1 },
    errors: {
      tornFrames: 4,
      staleFrames: 0,
      damagedFrames: 0,
      badBlocks: 0,
      cursorsBack: 0,
      cursorsBeyond: 0,
      framesAsked: 2,
      framesSentAgain: 0,
    },
  }],
  connections: [{
    host: 1,
    endpoint: 0,
    port: 49152,
    peerHost: 2,
    peerEndpoint: 5,
    peerPort: 49153,
    state: "established",
    sentBytes: 4096,
    receivedBytes: 0,
    framesInFlight: 1,
    creditWaits: 7,
  }],
  warnings: [],
};

const FIGURES = {
  reads: 11,
  writes: 12,
  readBytes: 45_056,
  writtenBytes: 49_152,
  hits: 13,
  misses: 14,
  stages: 15,
  destages: 16,
  evictions: 17,
  delayedWrites: 18,
  prefetches: 19,
  prefetchesUsed: 20,
  prefetchesWasted: 21,
};
const HOST = { host: "vault01", pid: 77, ...FIGURES, waits: 22, waitMicros: 2300 };

export const ARRAY: ArrayView = {
  directory: "/srv/array",
  uuid: "u",
  attached: true,
  memory: "/dev/shm/a",
  missingBoards: [],
  devices: [{
    name: "v0",
    sizeBytes: 2 ** 20,
    allocatedBytes: 4096,
    inCache: 6,
    writePending: 5,
    damaged: 1,
    ...FIGURES,
  }],
  boards: [{
    board: 0,
    slots: 8,
    inUse: 6,
    writePending: 5,
    pendingShare: 0.625,
    repairs: 2,
    ...FIGURES,
    waits: 23,
    waitMicros: 2400,
  }],
  hosts: [
    { ...HOST, attached: true },
    { ...HOST, attached: true, pid: 78 },
    { ...HOST, host: "web01", attached: false },
  ],
};

export const MAP: ArrayDeviceMap = {
  name: "v0",
  cylinders: 2 ** 20,
  cylindersPerBin: 1024,
  tracksPerCylinder: 16,
  bins: [
    { bin: 0, inCache: 16_384, writePending: 8192, damaged: 0 },
    { bin: 65, inCache: 1, writePending: 0, damaged: 0 },
    { bin: 1023, inCache: 0, writePending: 0, damaged: 2 },
  ],
};
