// Sizes of the array's benchmark.

/** Of the array's format (emulator/limits.ts): the benchmark puts its processes on boards by it. */
export {
  CYLINDER_BYTES,
  RECORD_BYTES,
  TRACK_BYTES,
  TRACKS_PER_CYLINDER,
} from "../../../emulator/limits.ts";

/** What one process streams over: a transmit ring's neighbourhood, well inside the cache. */
export const STREAM_BYTES = 16 * 1024 ** 2;
/** Both processes' regions twice over. */
export const STREAM_CACHE_BYTES = 4 * 2 * STREAM_BYTES;
export const STREAM_DEVICE_BYTES = 256 * 1024 ** 2;
export const WARM_UP_SECONDS = 0.2;

/** Three orders of magnitude each: 1 GiB to 1 TiB, and 16 to 16384 tracks in cache (1 GiB). */
export const SWEPT = {
  device: [2 ** 30, 2 ** 33, 2 ** 37, 2 ** 40],
  tracks: [16, 128, 1024, 16384],
} as const;
/** Fixed while the other one varies. */
export const TRACKS_FIXED = 1024;
export const DEVICE_FIXED = 2 ** 34;
/** Requests of each kind: some hundred batches. */
export const REQUESTS = 32_768;

/** The device whose creation is measured. */
export const LARGE_DEVICE_BYTES = 2 ** 40;

/** Milliseconds a run may take beyond its measured time: starts, filling the cache. */
export const RUN_OVERHEAD_MS = 60_000;
