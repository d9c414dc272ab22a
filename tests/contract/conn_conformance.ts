// The one suite that every implementation of transport/conn.ts passes: TCP, STP on each kind of
// volume, the in-memory pair, the relay between threads. See conn_bed.ts for what each hands in.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Conn } from "../../transport/conn.ts";
import { readExactly } from "../../transport/ground/read_exactly.ts";
import { writeAll } from "../../transport/ground/write_all.ts";
import type { Bed, ConformanceOptions } from "./conn_bed.ts";
import { receiveAll, rejectionCode, seededBytes, sendSeeded, streamBytes } from "./conn_bytes.ts";
import { describeEnding } from "./conn_conformance_ending.ts";
import { describeListening } from "./conn_conformance_listening.ts";

const TEST_TIMEOUT_MS = 120_000;

/** What a test gets: a fresh bed, and pairs of it that are aborted after the test. */
export interface Fixture {
  bed(): Bed;
  pair(): Promise<readonly [Conn, Conn]>;
  /** Has `conn` aborted after the test. */
  keep(conn: Conn): Conn;
  readonly limit: { readonly timeout: number };
}

/** Declares the suite for one implementation. */
export function describeConnConformance(
  name: string,
  open: () => Promise<Bed>,
  options: ConformanceOptions,
): void {
  describe(`${name} is a Conn`, () => {
    const fixture = makeFixture(open, options);
    describeBytes(fixture, options);
    describeFlow(fixture, options);
    describeStreams(fixture);
    describeEnding(fixture);
    describeListening(fixture, options);
  });
}

function makeFixture(open: () => Promise<Bed>, options: ConformanceOptions): Fixture {
  let current: Bed | undefined;
  let conns: Conn[] = [];
  beforeEach(async () => {
    current = await open();
  });
  afterEach(async () => {
    for (const conn of conns) conn.abort("the test ended");
    conns = [];
    await current?.close();
    current = undefined;
  });
  const bed = () => {
    if (current === undefined) throw new Error("the bed is closed");
    return current;
  };
  return {
    bed,
    async pair() {
      const pair = await bed().pair();
      conns.push(...pair);
      return pair;
    },
    keep(conn) {
      conns.push(conn);
      return conn;
    },
    limit: { timeout: options.testTimeoutMs ?? TEST_TIMEOUT_MS },
  };
}

function describeBytes({ pair, limit }: Fixture, options: ConformanceOptions): void {
  test("delivers bytes in order, both ways at once", limit, async () => {
    const [a, b] = await pair();
    const count = 3_000_001;
    const results = await Promise.all([
      sendSeeded(a, 11, count),
      sendSeeded(b, 12, count),
      receiveAll(b),
      receiveAll(a),
    ]);
    expect(results[2]).toEqual({ count, crc: results[0] });
    expect(results[3]).toEqual({ count, crc: results[1] });
    expect(a.counters).toEqual({ sentBytes: count, receivedBytes: count });
  });

  test("delivers a long random stream unchanged", limit, async () => {
    const [a, b] = await pair();
    const count = options.streamBytes ?? streamBytes();
    const [sent, received] = await Promise.all([sendSeeded(a, 21, count), receiveAll(b)]);
    expect(received).toEqual({ count, crc: sent });
  });

  test("delivers tiny writes, and reads a byte at a time", limit, async () => {
    const [a, b] = await pair();
    const bytes = seededBytes(31, 2000);
    const sending = (async () => {
      for (const byte of bytes) await writeAll(a, Uint8Array.of(byte));
      await a.closeWrite();
    })();
    const got: number[] = [];
    const one = new Uint8Array(1);
    while (await b.read(one) !== null) got.push(one[0] ?? -1);
    await sending;
    expect(got).toEqual([...bytes]);
  });

  test("takes and gives nothing for empty buffers", limit, async () => {
    const [a, b] = await pair();
    expect(await a.write(new Uint8Array(0))).toBe(0);
    expect(await b.read(new Uint8Array(0))).toBe(0);
    await writeAll(a, Uint8Array.of(5));
    expect([...await readExactly(b, 1)]).toEqual([5]);
    expect(a.counters.sentBytes).toBe(1);
  });

  test("returns what is there, not what was asked for", limit, async () => {
    const [a, b] = await pair();
    await writeAll(a, Uint8Array.of(1, 2, 3));
    const into = new Uint8Array(1000).fill(9);
    const count = await b.read(into);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(3);
    expect([...into.subarray(0, count ?? 0)]).toEqual([1, 2, 3].slice(0, count ?? 0));
    expect(into[3]).toBe(9);
  });

  test("lets the caller change bytes after a write", limit, async () => {
    const [a, b] = await pair();
    const { signal } = new AbortController();
    const bytes = new Uint8Array(70_000);
    const turns = 150;
    let accepted = 0;
    const sending = (async () => {
      for (let turn = 0; turn < turns; turn++) {
        bytes.fill(turn);
        await writeAll(a, bytes, turn % 2 === 0 ? { signal } : {});
        bytes.fill(255);
        accepted += 1;
      }
    })();
    // Only a reader that starts late makes bytes wait where a careless write would keep them.
    await untilStill(() => accepted);
    const got = await readExactly(b, turns * bytes.length);
    await sending;
    expect(got.findIndex((byte, index) => byte !== Math.floor(index / bytes.length))).toBe(-1);
  });
}

function describeFlow({ pair, limit }: Fixture, options: ConformanceOptions): void {
  test("bounds the bytes on their way to a reader that does not read", limit, async () => {
    const [a, b] = await pair();
    const chunk = seededBytes(41, 256 * 1024);
    let accepted = 0;
    let stopped = false;
    const writing = (async () => {
      while (!stopped) accepted += await a.write(chunk);
      await a.closeWrite();
    })();
    await untilStill(() => accepted);
    expect(accepted).toBeLessThanOrEqual(options.inFlightBytes);
    stopped = true;
    const received = await receiveAll(b);
    await writing;
    expect(received.count).toBe(accepted);
  });

  test("goes on after a write was cancelled, and loses nothing", limit, async () => {
    const [a, b] = await pair();
    const bytes = seededBytes(42, 64 * 1024);
    let accepted = 0;
    const stop = new AbortController();
    const filling = (async () => {
      for (;;) accepted += await a.write(bytes, { signal: stop.signal });
    })();
    await untilStill(() => accepted);
    stop.abort();
    expect(await rejectionCode(filling)).toBe("cancelled");
    const reading = receiveAll(b);
    await writeAll(a, bytes);
    await a.closeWrite();
    expect((await reading).count).toBe(accepted + bytes.length);
  });

  test("goes on after a read was cancelled, and loses nothing", limit, async () => {
    const [a, b] = await pair();
    const bytes = seededBytes(43, 100_000);
    for (let turn = 0; turn < 3; turn++) {
      const stop = new AbortController();
      const into = new Uint8Array(10).fill(7);
      const wait = b.read(into, { signal: stop.signal });
      stop.abort();
      expect(await rejectionCode(wait)).toBe("cancelled");
      expect(await rejectionCode(b.read(into, { signal: stop.signal }))).toBe("cancelled");
      const reading = readExactly(b, bytes.length);
      await writeAll(a, bytes);
      expect(await reading).toEqual(bytes);
      expect([...into]).toEqual(new Array(10).fill(7));
    }
  });
}

function describeStreams({ pair, limit }: Fixture): void {
  test("is a pair of web streams", limit, async () => {
    const [a, b] = await pair();
    const echo = b.readable.pipeTo(b.writable);
    const bytes = seededBytes(51, 1_000_000);
    const writer = a.writable.getWriter();
    const sending = writer.write(bytes).then(() => writer.close());
    const chunks: number[] = [];
    let at = 0;
    for await (const chunk of a.readable) {
      for (const byte of chunk) if (byte !== bytes[at++]) chunks.push(at);
    }
    await Promise.all([sending, echo]);
    expect(at).toBe(bytes.length);
    expect(chunks).toEqual([]);
  });
}

/** Waits until `value` has been the same for some 300 ms of an otherwise free event loop. */
async function untilStill(value: () => number): Promise<void> {
  for (let [last, still] = [-1, 0]; still < 6;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = value() === last ? still + 1 : 0;
    last = value();
  }
}
