// What somebody who writes to the volumes can do to an encrypted stream: break it. Records that were
// changed, repeated, left out, moved or cut off are errors, and none of their bytes is delivered.

import { describe, expect, test } from "bun:test";
import type { Conn } from "../../../../transport/conn.ts";
import { MemoryNetwork } from "../../../../transport/memory/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { SealedConn } from "../../../../transport/sealed/mod.ts";
import { failure } from "../connect/failure.ts";
import { readCount, writeWhole } from "../stp/stp_bed.ts";

const runtime = await currentRuntime();
const SECRET = runtime.random.bytes(64);
const parts = { secret: SECRET, aead: runtime.aead(), clock: runtime.clock };

const HEAD_BYTES = 4;
const TAG_BYTES = 16;
const FIRST = new TextEncoder().encode("the first record");
const SECOND = new TextEncoder().encode("and another one.");
const RECORD_BYTES = HEAD_BYTES + FIRST.length + TAG_BYTES;

async function plainPair(): Promise<readonly [Conn, Conn]> {
  const network = new MemoryNetwork();
  await using listener = await network.listen({ address: "here", port: 0 });
  const conn = await network.connect({
    address: "here",
    port: listener.addr.port,
    timeoutMs: 5000,
  });
  return [await listener.accept(), conn];
}

/** What two records and the end of a stream look like on the volumes. */
async function sealedBytes(): Promise<Uint8Array> {
  const [near, far] = await plainPair();
  const sender = new SealedConn(near, { ...parts, side: "listening" });
  await writeWhole(sender, FIRST);
  await writeWhole(sender, SECOND);
  await sender.closeWrite();
  return await readCount(far, 3 * RECORD_BYTES);
}

/** Reads a stream that somebody brought these bytes into, up to its end or error. */
async function deliver(bytes: Uint8Array): Promise<{ text: string; error: string | null }> {
  const [near, far] = await plainPair();
  const reader = new SealedConn(far, { ...parts, side: "connecting" });
  await writeWhole(near, bytes);
  await near.closeWrite();
  let text = "";
  const into = new Uint8Array(64);
  for (;;) {
    let count: number | null;
    try {
      count = await reader.read(into);
    } catch (error) {
      // Once broken it stays so, and for writes as well.
      expect((await failure(() => reader.read(into))).code).toBe("reset");
      expect((await failure(() => reader.write(into))).code).toBe("reset");
      return { text, error: error instanceof Error ? error.message : String(error) };
    }
    if (count === null) return { text, error: null };
    text += new TextDecoder().decode(into.subarray(0, count));
  }
}

describe("SealedConn", () => {
  test("delivers what was sent, and nothing of it is readable below", async () => {
    const bytes = await sealedBytes();
    expect(new TextDecoder().decode(bytes)).not.toContain("record");
    expect(await deliver(bytes)).toEqual({ text: "the first recordand another one.", error: null });
  });

  test("is broken by any flipped bit, and delivers no byte of that record", async () => {
    const bytes = await sealedBytes();
    for (let bit = 0; bit < 8 * bytes.length; bit += 7) {
      const flipped = bytes.slice();
      const at = bit >> 3;
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
      const { text, error } = await deliver(flipped);
      expect([bit, error === null]).toEqual([bit, false]);
      const whole = Math.min(2, Math.floor(at / RECORD_BYTES));
      expect(text).toBe("the first recordand another one.".slice(0, whole * FIRST.length));
    }
  });

  const record = (bytes: Uint8Array, number: number) =>
    bytes.subarray(number * RECORD_BYTES, (number + 1) * RECORD_BYTES);
  const changes: readonly [string, (bytes: Uint8Array) => Uint8Array[], string, RegExp][] = [
    ["repeated", (all) => [record(all, 0), record(all, 0)], "the first record", /changed/],
    ["left out", (all) => [record(all, 1), record(all, 2)], "", /changed/],
    ["moved", (all) => [record(all, 1), record(all, 0)], "", /changed/],
    ["cut off after it", (all) => [record(all, 0)], "the first record", /cut off/],
    ["cut off in it", (all) => [record(all, 0).subarray(0, 20)], "", /cut off/],
  ];
  for (const [what, change, delivered, message] of changes) {
    test(`is broken by a record that was ${what}`, async () => {
      const bytes = change(await sealedBytes());
      const { text, error } = await deliver(Uint8Array.from(bytes.flatMap((one) => [...one])));
      expect([text, error]).toEqual([delivered, expect.stringMatching(message)]);
    });
  }

  test("is broken by what the peer's other direction sent", async () => {
    const [near, far] = await plainPair();
    const one = new SealedConn(near, { ...parts, side: "connecting" });
    await writeWhole(one, FIRST);
    expect(await deliver(await readCount(far, RECORD_BYTES))).toEqual({
      text: "",
      error: expect.stringMatching(/changed/),
    });
  });
});
