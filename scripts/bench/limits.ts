// Sizes and limits of the transport benchmark.

/** Bytes of one write and of one read: what the backup's data channel uses. */
export const CHUNK_BYTES = 256 * 1024;

/** Slots of the bare ring: 2 MiB stay in the processor's cache. */
export const RING_SLOTS = 8;

/** Part of the machine's time that others took, above which a run says nothing. */
export const STEAL_MAX = 0.15;

/** Load per processor above which others on this machine take part of what is measured. */
export const BUSY_LOAD = 0.5;

/** Runs of one contestant per round before a busy machine ends the benchmark. */
export const TRIES_MAX = 5;

/** Milliseconds one run may take beyond its measured time: starts, round trips, clean-up. */
export const RUN_OVERHEAD_MS = 60_000;

/** Size of each of the array's two volumes: room for the largest ring of the plots. */
export const VOLUME_BYTES = 256 * 1024 ** 2;

/**
 * Size of the file behind the loop device; half of it is read, half of it is written by dd; a
 * group of the usual size has room on it.
 */
export const DEVICE_BYTES = 2 * 1024 ** 3;

/** Passes of each dd over its half while the other one runs, too. */
export const DD_PASSES = 2;

/** Silence before the first message after it, in ms. */
export const IDLE_MS = 10_000;

/** Connections at once in the run that looks for fair shares. */
export const MANY_CONNECTIONS = 8;

/** Milliseconds between two requests to the control endpoint: some hundreds in a run. */
export const CONTROL_PAUSE_MS = 3;
