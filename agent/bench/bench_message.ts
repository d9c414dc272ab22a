// What the two ends of a benchmark say to each other on the measured connection. Pure.
//
//   order    16 bytes: 0 u32 magic "BNCH", 4 u32 kind (1 stream, 2 round trips, 3 usage, 4 end),
//            8 u32 bytes of each message that follows, 12 u32 buffers that they take in turn
//   message  of the ordered size; its first byte tells: 0 warms up, 1 counts, 2 is the last
//   report   24 bytes, after a stream and for usage: three f64, bytes, seconds, CPU seconds
//
// Integers are little-endian. A round trip's message comes back as it is. Whatever the peer says
// is checked here before it sizes a buffer.

import { AgentError, assert } from "../../transport/mod.ts";
import { FRAME_BYTES_MAX, STREAM_MEMORY_BYTES } from "./limits.ts";

export const ORDER_BYTES = 16;
export const REPORT_BYTES = 24;

/** First byte of a message. */
export const WARMS_UP = 0;
export const COUNTS = 1;
export const LAST = 2;

const MAGIC = 0x48434e42;
const KINDS = ["stream", "trips", "usage", "end"] as const;

export type OrderKind = typeof KINDS[number];

export interface Order {
  readonly kind: OrderKind;
  /** Bytes of each message; 0 where none follow. */
  readonly messageBytes: number;
  /** Buffers of that size that the messages are written from, and read into, in turn. */
  readonly buffers: number;
}

/** What an end counted. */
export interface Report {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export function encodeOrder({ kind, messageBytes, buffers }: Order): Uint8Array {
  const bytes = new Uint8Array(ORDER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, KINDS.indexOf(kind) + 1, true);
  view.setUint32(8, messageBytes, true);
  view.setUint32(12, buffers, true);
  return bytes;
}

/** @throws AgentError `reset` for what is no order */
export function decodeOrder(bytes: Uint8Array): Order {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ORDER_BYTES);
  const kind = KINDS[view.getUint32(4, true) - 1];
  const messageBytes = view.getUint32(8, true);
  const buffers = view.getUint32(12, true);
  const fits = messageBytes >= 1 && messageBytes <= FRAME_BYTES_MAX &&
    (buffers === 1 || (buffers > 1 && buffers * messageBytes <= STREAM_MEMORY_BYTES));
  const empty = messageBytes === 0 && buffers === 0;
  const sound = view.getUint32(0, true) === MAGIC && kind !== undefined &&
    (kind === "stream" || kind === "trips" ? fits : empty);
  if (sound) return { kind, messageBytes, buffers };
  throw new AgentError("reset", "Cannot measure: the peer sent no order of a benchmark");
}

export function encodeReport({ bytes, seconds, cpuSeconds }: Report): Uint8Array {
  return new Uint8Array(Float64Array.of(bytes, seconds, cpuSeconds).buffer);
}

/** @throws AgentError `reset` for numbers that no end can have counted */
export function decodeReport(from: Uint8Array): Report {
  const view = new DataView(from.buffer, from.byteOffset, REPORT_BYTES);
  const [bytes = NaN, seconds = NaN, cpuSeconds = NaN] = [0, 8, 16].map((at) =>
    view.getFloat64(at, true)
  );
  const sound = [bytes, seconds, cpuSeconds].every((value) => Number.isFinite(value) && value >= 0);
  if (sound) return { bytes, seconds, cpuSeconds };
  throw new AgentError("reset", "Cannot measure: the peer sent no report of a benchmark");
}

/** The content of every message after its first byte: what arrives is compared with it. */
export function patternOf(messageBytes: number): Uint8Array {
  const bytes = Uint8Array.from({ length: messageBytes }, (_, at) => (at * 2654435761) >>> 24);
  bytes[0] = WARMS_UP;
  return bytes;
}

/** The buffers of a stream's messages, in turn. */
export class MessageBuffers {
  readonly #buffers: readonly Uint8Array[];
  #next = 0;

  constructor({ messageBytes, buffers }: Omit<Order, "kind">) {
    const memory = new Uint8Array(messageBytes * buffers);
    this.#buffers = Array.from({ length: buffers }, (_, index) => {
      const at = index * messageBytes;
      return memory.subarray(at, at + messageBytes);
    });
  }

  fill(content: Uint8Array): void {
    for (const buffer of this.#buffers) buffer.set(content);
  }

  next(): Uint8Array {
    const buffer = this.#buffers[this.#next];
    assert(buffer !== undefined, "a stream has a buffer");
    this.#next = (this.#next + 1) % this.#buffers.length;
    return buffer;
  }
}
