// Sizes and limits of the transport benchmark.

/** Bytes of one write and of one read: what the backup's data channel uses. */
export const CHUNK_BYTES = 256 * 1024;

/** Bytes sent before the clock starts: code is compiled and buffers are touched by then. */
export const WARM_UP_BYTES = 256 * 1024 ** 2;

/** Slots of the bare ring: 2 MiB stay in the processor's cache. */
export const RING_SLOTS = 8;

/** Part of the machine's time that others took, above which a run says nothing. */
export const STEAL_MAX = 0.15;

/** Runs of one contestant per round before a busy machine ends the benchmark. */
export const TRIES_MAX = 5;

/** Milliseconds one run may take. */
export const RUN_TIMEOUT_MS = 120_000;
