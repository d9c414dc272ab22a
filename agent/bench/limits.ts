// Limits of the benchmark, with unit and reason.

/** Bytes of one write unless asked otherwise: what a frame carries, and what a backup sends. */
export const FRAME_BYTES_DEFAULT = 256 * 1024;
/** A write smaller than this measures the calls, not the stream. */
export const FRAME_BYTES_MIN = 512;
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Bytes that the messages of all streams together are written from, and read into, in turn: what a
 * backup sends does not wait in the cache of a processor, and one stream must not measure faster
 * than several because its only buffer does (measured: by a fifth).
 */
export const STREAM_MEMORY_BYTES = 2 * 1024 * 1024;

/** Seconds of streaming: enough for a rate that repeats within a few percent. */
export const STREAM_SECONDS_DEFAULT = 3;
export const STREAM_SECONDS_MAX = 3600;

/** Milliseconds of streaming before the clock starts: code is compiled, buffers are touched. */
export const WARM_UP_MS = 500;

/** Bytes of a round trip's message, one way. */
export const TRIP_BYTES = 64;
/** Round trips before the first that counts. */
export const TRIP_WARM_UPS = 500;
/** Round trips that are kept, 8 bytes each; the 99th percentile needs some thousands. */
export const TRIPS_MAX = 50_000;
/** Milliseconds of round trips on a slow medium. */
export const TRIPS_MS = 2_000;

/** Milliseconds for the other end to come up: a host id left by a dead process waits to be free. */
export const READY_TIMEOUT_MS = 60_000;
/** Milliseconds to connect once the other end listens. */
export const CONNECT_TIMEOUT_MS = 20_000;
/** Milliseconds for the other process to give its host id back after it was told to stop. */
export const STOP_TIMEOUT_MS = 10_000;

/** Bytes of the connection token. */
export const TOKEN_BYTES = 16;
