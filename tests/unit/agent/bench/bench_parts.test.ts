// The pure parts of the benchmark: messages, percentiles, free host ids, lines of the second
// process.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeOrder,
  decodeReport,
  encodeOrder,
  encodeReport,
} from "../../../../agent/bench/bench_message.ts";
import { freeHosts } from "../../../../agent/bench/free_hosts.ts";
import { STREAM_MEMORY_BYTES } from "../../../../agent/bench/limits.ts";
import { quantile } from "../../../../agent/bench/latency.ts";
import { decodePeerLine, encodePeerLine } from "../../../../agent/bench/peer_line.ts";

describe("orders and reports", () => {
  test("decode to what was encoded", () => {
    for (
      const order of [
        { kind: "stream", messageBytes: 262_144, buffers: 8 },
        { kind: "trips", messageBytes: 64, buffers: 1 },
        { kind: "usage", messageBytes: 0, buffers: 0 },
        { kind: "end", messageBytes: 0, buffers: 0 },
      ] as const
    ) {
      expect(decodeOrder(encodeOrder(order))).toEqual(order);
    }
    const report = { bytes: 7.5e9, seconds: 3.25, cpuSeconds: 0.125 };
    expect(decodeReport(encodeReport(report))).toEqual(report);
  });

  test("decodeOrder() takes no size that would not fit its buffer", () => {
    const order = encodeOrder({ kind: "stream", messageBytes: 64, buffers: 1 });
    for (const size of [0, 4 * 1024 * 1024 + 1, 0xffff_ffff]) {
      new DataView(order.buffer).setUint32(8, size, true);
      expect(() => decodeOrder(order)).toThrow("no order");
    }
    const most = STREAM_MEMORY_BYTES / 64;
    for (const [buffers, isTaken] of [[0, false], [most, true], [most + 1, false]] as const) {
      const order = encodeOrder({ kind: "stream", messageBytes: 64, buffers });
      if (isTaken) expect(decodeOrder(order).buffers).toBe(buffers);
      else expect(() => decodeOrder(order)).toThrow("no order");
    }
  });

  test("decodeOrder() and decodeReport() refuse or understand any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
      for (const decode of [decodeOrder, decodeReport]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "reset" });
        }
      }
    }));
  });
});

describe("quantile()", () => {
  test("gives members of the samples in order", () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([quantile(samples, 0.5), quantile(samples, 0.99), quantile(samples, 1)]).toEqual([
      50,
      99,
      100,
    ]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe("freeHosts()", () => {
  test("gives ids from the highest down, attached ones last, our own never", () => {
    const seen = [
      { host: 2, attached: true },
      { host: 6, attached: true },
      { host: 7, attached: false },
      // Two volumes may tell differently: one of them was not written.
      { host: 5, attached: false },
      { host: 5, attached: true },
    ];
    expect(freeHosts({ maxHosts: 8, seen }, 1)).toEqual([8, 7, 4, 3, 6, 5, 2]);
  });
});

describe("lines of the second process", () => {
  test("decode to what was encoded", () => {
    for (
      const line of [
        { type: "listening", host: 7, port: 49_152 },
        { type: "error", error: { code: "busy", message: "Cannot", hint: "Stop." } },
        { type: "error", error: { code: "internal", message: "Cannot" } },
      ] as const
    ) {
      expect(decodePeerLine(encodePeerLine(line).trim())).toEqual(line);
    }
  });

  test("anything else is refused", () => {
    for (const text of ["", "hello", "{}", '{"type":"listening","host":1,"port":0}']) {
      expect(() => decodePeerLine(text)).toThrow("second process printed");
    }
  });
});
