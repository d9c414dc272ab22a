// The end of a benchmark that takes orders: it swallows streams, sends round trips back, and tells
// what it counted. It works on any connection, so that every transport is measured by one code.

import {
  AgentError,
  type Clock,
  type Conn,
  readFull,
  readFullOrEnd,
  type WaitOptions,
  writeAll,
} from "../../transport/mod.ts";
import {
  COUNTS,
  decodeOrder,
  encodeReport,
  LAST,
  MessageBuffers,
  type Order,
  ORDER_BYTES,
  patternOf,
  type Report,
} from "./bench_message.ts";

/** What a benchmark needs of a connection. */
export type ByteStream = Pick<Conn, "read" | "write">;

/** What both ends measure with. */
export interface BenchGauges {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  /** User and system time of this process so far. */
  readonly cpuSeconds: () => number;
}

/**
 * Obeys until the other end says that it is done, or closes.
 * @throws AgentError `reset` for what is no order, `damaged` when other bytes arrive than were sent
 */
export async function serveBench(
  stream: ByteStream,
  gauges: BenchGauges,
  options: WaitOptions = {},
): Promise<void> {
  const startedMs = gauges.clock.monotonicMs();
  const header = new Uint8Array(ORDER_BYTES);
  while (await readFullOrEnd(stream, header, options)) {
    const { kind, messageBytes, buffers } = decodeOrder(header);
    if (kind === "end") return;
    if (kind === "trips") {
      await sendBack(stream, messageBytes, options);
      continue;
    }
    const report = kind === "stream"
      ? await swallow(stream, gauges, { messageBytes, buffers, ...options })
      : {
        bytes: 0,
        seconds: (gauges.clock.monotonicMs() - startedMs) / 1000,
        cpuSeconds: gauges.cpuSeconds(),
      };
    await writeAll(stream, encodeReport(report), options);
  }
}

/** Reads a stream whole; the first message that counts starts the clock. */
async function swallow(
  stream: ByteStream,
  { clock, cpuSeconds }: BenchGauges,
  options: WaitOptions & Omit<Order, "kind">,
): Promise<Report> {
  const messages = new MessageBuffers(options);
  let message: Uint8Array;
  let [bytes, sinceMs, sinceCpu] = [0, clock.monotonicMs(), cpuSeconds()];
  for (;;) {
    message = messages.next();
    await readFull(stream, message, options);
    if (message[0] === LAST) break;
    if (message[0] !== COUNTS) [sinceMs, sinceCpu] = [clock.monotonicMs(), cpuSeconds()];
    else bytes += message.length;
  }
  const seconds = (clock.monotonicMs() - sinceMs) / 1000;
  const cpu = cpuSeconds() - sinceCpu;
  const pattern = patternOf(message.length);
  if (message.subarray(1).every((byte, at) => byte === pattern[at + 1])) {
    return { bytes, seconds, cpuSeconds: cpu };
  }
  throw new AgentError("damaged", "Cannot measure: other bytes arrived than were sent");
}

async function sendBack(
  stream: ByteStream,
  messageBytes: number,
  options: WaitOptions,
): Promise<void> {
  const message = new Uint8Array(messageBytes);
  do {
    await readFull(stream, message, options);
    await writeAll(stream, message, options);
  } while (message[0] !== LAST);
}
