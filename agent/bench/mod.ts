// Door of the benchmark.

export { BenchHost, type BenchHostOptions } from "./bench_host.ts";
export { type BenchPeerOptions, connectBenchPeer, runBenchPeer } from "./bench_peer.ts";
export {
  driveIdle,
  driveStreams,
  driveTrips,
  endBench,
  type IdleFigures,
  type StreamFigures,
  type StreamOptions,
  type TripFigures,
} from "./drive_bench.ts";
export { quantile } from "./latency.ts";
export {
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  STREAM_SECONDS_DEFAULT,
  STREAM_SECONDS_MAX,
} from "./limits.ts";
export { runStgBench, type StgBenchFigures, type StgBenchOptions } from "./run_stg_bench.ts";
export { type BenchGauges, type ByteStream, serveBench } from "./serve_bench.ts";
