// The end of a benchmark that gives orders and takes the figures: streams over one or several
// connections at once, round trips, and the first message after a silence.
//
// Invariant: the reader's clock tells a stream's duration, from the last message of the warm-up to
// the last one, so that what only lies in buffers does not count.

import {
  type Clock,
  readExactly,
  readFull,
  type WaitOptions,
  writeAll,
} from "../../transport/mod.ts";
import {
  COUNTS,
  decodeReport,
  encodeOrder,
  LAST,
  MessageBuffers,
  patternOf,
  type Report,
  REPORT_BYTES,
  WARMS_UP,
} from "./bench_message.ts";
import { quantile } from "./latency.ts";
import {
  STREAM_MEMORY_BYTES,
  TRIP_BYTES,
  TRIP_WARM_UPS,
  TRIPS_MAX,
  TRIPS_MS,
  WARM_UP_MS,
} from "./limits.ts";
import type { BenchGauges, ByteStream } from "./serve_bench.ts";

export interface StreamOptions extends WaitOptions {
  /** Bytes of one write. */
  readonly frameBytes: number;
  readonly seconds: number;
}

export interface StreamFigures {
  /** Of all connections together. */
  readonly bytes: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** User and system time of both ends. */
  readonly cpuSecondsPerGigabyte: number;
  /** The smallest part that one connection got, over its equal share: 1 is fair. */
  readonly smallestShare: number;
}

/** Streams over every connection at the same time. @throws AgentError as the connections do */
export async function driveStreams(
  streams: readonly ByteStream[],
  gauges: BenchGauges,
  options: StreamOptions,
): Promise<StreamFigures> {
  const { clock, cpuSeconds } = gauges;
  const startMs = clock.monotonicMs() + WARM_UP_MS;
  const endMs = startMs + options.seconds * 1000;
  const memory = STREAM_MEMORY_BYTES / (options.frameBytes * streams.length);
  const buffers = Math.max(1, Math.floor(memory));
  let sinceCpu = cpuSeconds();
  const reports = await Promise.all(streams.map((stream) =>
    driveStream(stream, clock, {
      ...options,
      startMs,
      endMs,
      buffers,
      onStart: () => sinceCpu = cpuSeconds(),
    })
  ));
  const spent = cpuSeconds() - sinceCpu + Math.max(...reports.map((report) => report.cpuSeconds));
  const bytes = reports.reduce((sum, report) => sum + report.bytes, 0);
  const seconds = Math.max(...reports.map((report) => report.seconds));
  const smallest = Math.min(...reports.map((report) => report.bytes));
  return {
    bytes,
    seconds,
    bytesPerSecond: bytes / seconds,
    cpuSecondsPerGigabyte: spent / (bytes / 1e9),
    smallestShare: smallest / (bytes / streams.length),
  };
}

interface Span extends StreamOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly buffers: number;
  readonly onStart: () => void;
}

async function driveStream(
  stream: ByteStream,
  clock: Pick<Clock, "monotonicMs">,
  span: Span,
): Promise<Report> {
  const size = { messageBytes: span.frameBytes, buffers: span.buffers };
  const messages = new MessageBuffers(size);
  messages.fill(patternOf(span.frameBytes));
  await writeAll(stream, encodeOrder({ kind: "stream", ...size }), span);
  for (let phase = WARMS_UP; phase !== LAST;) {
    const nowMs = clock.monotonicMs();
    if (phase === COUNTS && nowMs >= span.endMs) phase = LAST;
    else if (phase === WARMS_UP && nowMs >= span.startMs) {
      phase = COUNTS;
      span.onStart();
    }
    const message = messages.next();
    message[0] = phase;
    await writeAll(stream, message, span);
  }
  return decodeReport(await readExactly(stream, REPORT_BYTES, span));
}

export interface TripFigures {
  readonly medianUs: number;
  readonly p99Us: number;
  readonly trips: number;
}

/** Sends small messages back and forth, one at a time. */
export async function driveTrips(
  stream: ByteStream,
  { clock }: Pick<BenchGauges, "clock">,
  options: WaitOptions = {},
): Promise<TripFigures> {
  const message = patternOf(TRIP_BYTES);
  const samples: number[] = [];
  await writeAll(
    stream,
    encodeOrder({ kind: "trips", messageBytes: TRIP_BYTES, buffers: 1 }),
    options,
  );
  const endMs = clock.monotonicMs() + TRIPS_MS;
  for (let trip = 0; message[0] !== LAST; trip += 1) {
    const sinceMs = clock.monotonicMs();
    message[0] = sinceMs >= endMs || samples.length >= TRIPS_MAX ? LAST : COUNTS;
    await writeAll(stream, message, options);
    await readFull(stream, message, options);
    // A slow medium has no time for a long warm-up: then the first trips count as well.
    const warm = trip < TRIP_WARM_UPS && clock.monotonicMs() < endMs - TRIPS_MS / 2;
    if (!warm) samples.push((clock.monotonicMs() - sinceMs) * 1000);
  }
  return {
    medianUs: quantile(samples, 0.5),
    p99Us: quantile(samples, 0.99),
    trips: samples.length,
  };
}

export interface IdleFigures {
  /** From the first message after the silence to its answer. */
  readonly firstMs: number;
  /** Part of one core that an end of the idle connection used, the mean of both. */
  readonly cpuPart: number;
}

/** Keeps silent for `idleMs` while both ends wait, then sends one message. */
export async function driveIdle(
  stream: ByteStream,
  { clock, cpuSeconds }: BenchGauges,
  options: WaitOptions & { readonly idleMs: number },
): Promise<IdleFigures> {
  const message = patternOf(TRIP_BYTES);
  message[0] = LAST;
  const peerBefore = await askUsage(stream, options);
  const ownBefore = cpuSeconds();
  await writeAll(
    stream,
    encodeOrder({ kind: "trips", messageBytes: TRIP_BYTES, buffers: 1 }),
    options,
  );
  const answer = readExactly(stream, TRIP_BYTES, options);
  answer.catch(() => {}); // The sleep may end first, by the same signal.
  await clock.sleep(options.idleMs, options);
  const own = cpuSeconds() - ownBefore;
  const sinceMs = clock.monotonicMs();
  await writeAll(stream, message, options);
  await answer;
  const firstMs = clock.monotonicMs() - sinceMs;
  const peerAfter = await askUsage(stream, options);
  const peer = peerAfter.cpuSeconds - peerBefore.cpuSeconds;
  const seconds = peerAfter.seconds - peerBefore.seconds;
  return { firstMs, cpuPart: (own / (options.idleMs / 1000) + peer / seconds) / 2 };
}

/** Tells the other end that nothing more comes. */
export async function endBench(stream: ByteStream, options: WaitOptions = {}): Promise<void> {
  await writeAll(stream, encodeOrder({ kind: "end", messageBytes: 0, buffers: 0 }), options);
}

async function askUsage(stream: ByteStream, options: WaitOptions): Promise<Report> {
  await writeAll(stream, encodeOrder({ kind: "usage", messageBytes: 0, buffers: 0 }), options);
  return decodeReport(await readExactly(stream, REPORT_BYTES, options));
}
