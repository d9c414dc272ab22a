// The part of the conformance suite about ends: half-close, close, abort, a peer that is gone.

import { expect, test } from "bun:test";
import type { Conn } from "../../transport/conn.ts";
import { readExactly } from "../../transport/ground/read_exactly.ts";
import { writeAll } from "../../transport/ground/write_all.ts";
import { receiveAll, rejectionCode, seededBytes, sendSeeded } from "./conn_bytes.ts";
import type { Fixture } from "./conn_conformance.ts";

/** Codes that a side may see after it gave up the connection itself. */
const OWN_END = ["closed", "reset"];

export function describeEnding(fixture: Fixture): void {
  describeHalfClose(fixture);
  describeClose(fixture);
  describeAbort(fixture);
}

function describeHalfClose({ pair, limit }: Fixture): void {
  test("carries the other direction after closeWrite", limit, async () => {
    const [a, b] = await pair();
    await writeAll(a, Uint8Array.of(1));
    await a.closeWrite();
    await a.closeWrite();
    expect(await receiveAll(b)).toEqual({ count: 1, crc: expect.any(Number) });
    expect(await b.read(new Uint8Array(1))).toBe(null);
    const [crc, received] = await Promise.all([sendSeeded(b, 61, 500_000), receiveAll(a)]);
    expect(received).toEqual({ count: 500_000, crc });
  });

  test("refuses to write after closeWrite", limit, async () => {
    const [a] = await pair();
    await a.closeWrite();
    expect(await rejectionCode(a.write(Uint8Array.of(1)))).toBe("closed");
  });
}

function describeClose({ pair, limit }: Fixture): void {
  test("delivers everything written before close", limit, async () => {
    const [a, b] = await pair();
    const bytes = seededBytes(62, 300_000);
    const reading = readExactly(b, bytes.length);
    await writeAll(a, bytes);
    await a.close();
    expect(await reading).toEqual(bytes);
    expect(await b.read(new Uint8Array(1))).toBe(null);
    await b.close();
  });

  test("closes once, and refuses reads and writes afterwards", limit, async () => {
    const [a, b] = await pair();
    await Promise.all([a.close(), a.close(), b.close()]);
    await a.close();
    a.abort("after the end");
    expect(await rejectionCode(a.read(new Uint8Array(1)))).toBe("closed");
    expect(await rejectionCode(a.write(Uint8Array.of(1)))).toBe("closed");
    await a.closeWrite().catch(() => {});
  });

  test("ends a read that waits when its own side closes", limit, async () => {
    const [a] = await pair();
    const waiting = rejectionCode(a.read(new Uint8Array(1)));
    await a.close();
    expect(OWN_END).toContain(await waiting);
  });
}

function describeAbort({ pair, limit }: Fixture): void {
  test("rejects the peer's waiting read when a side aborts", limit, async () => {
    const [a, b] = await pair();
    const waiting = rejectionCode(b.read(new Uint8Array(1)));
    a.abort("the test says so");
    expect(await waiting).toBe("reset");
    expect(await rejectionCode(b.read(new Uint8Array(1)))).toBe("reset");
  });

  test("rejects the peer's writes when a side aborts", limit, async () => {
    const [a, b] = await pair();
    a.abort("the test says so");
    expect(await rejectionCode(writeForever(b))).toBe("reset");
  });

  test("rejects its own waits when a side aborts", limit, async () => {
    const [a] = await pair();
    const waiting = rejectionCode(a.read(new Uint8Array(1)));
    a.abort("the test says so");
    a.abort("and again");
    expect(OWN_END).toContain(await waiting);
    expect(OWN_END).toContain(await rejectionCode(a.read(new Uint8Array(1))));
    expect(OWN_END).toContain(await rejectionCode(a.write(Uint8Array.of(1))));
    await a.close();
  });

  test("rejects a write that waits for room when the peer aborts", limit, async () => {
    const [a, b] = await pair();
    const writing = rejectionCode(writeForever(a));
    await readExactly(b, 1000);
    b.abort("the test says so");
    expect(await writing).toBe("reset");
  });

  test("frees its resources when both sides have aborted", limit, async () => {
    const [a, b] = await pair();
    a.abort("one");
    b.abort("two");
    await Promise.all([a.close(), b.close()]);
    expect(OWN_END).toContain(await rejectionCode(b.read(new Uint8Array(1))));
  });
}

async function writeForever(conn: Conn): Promise<never> {
  const bytes = new Uint8Array(64 * 1024);
  for (;;) await conn.write(bytes);
}
