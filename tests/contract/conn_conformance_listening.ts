// The part of the conformance suite about making connections: listen, accept, connect, and how
// each of them fails.

import { expect, test } from "bun:test";
import { readExactly } from "../../transport/ground/read_exactly.ts";
import { writeAll } from "../../transport/ground/write_all.ts";
import type { ConformanceOptions, ListeningBed } from "./conn_bed.ts";
import { rejectionCode } from "./conn_bytes.ts";
import type { Fixture } from "./conn_conformance.ts";

const CONNECT = { timeoutMs: 10_000 };
const CONNECTIONS = 32;

export function describeListening(fixture: Fixture, options: ConformanceOptions): void {
  describeConnecting(fixture, options);
  describeAccepting(fixture);
  describeRefusal(fixture);
}

/** Declares a test that needs to listen; an implementation that cannot has nothing to show. */
function listenTest(
  name: string,
  { bed, limit }: Fixture,
  run: (bed: ListeningBed) => Promise<void>,
): void {
  test(name, limit, async () => {
    const listening = bed().listening;
    if (listening !== null) await run(listening);
  });
}

function describeConnecting(fixture: Fixture, options: ConformanceOptions): void {
  const count = options.connections ?? CONNECTIONS;

  listenTest(`carries ${count} connections at once, each its own bytes`, fixture, async (bed) => {
    await using listener = await bed.listen({ backlog: count });
    const indexes = Array.from({ length: count }, (_, index) => index);
    const serving = Promise.all(indexes.map(async () => {
      const conn = fixture.keep(await listener.accept());
      const bytes = await readExactly(conn, 5000);
      await writeAll(conn, bytes);
      await conn.close();
    }));
    await Promise.all(indexes.map(async (index) => {
      const conn = fixture.keep(await bed.connect(listener.addr, CONNECT));
      await writeAll(conn, new Uint8Array(5000).fill(index));
      const echo = await readExactly(conn, 5000);
      expect(echo.every((byte) => byte === index)).toBe(true);
      await conn.close();
    }));
    await serving;
  });

  listenTest("names both ends alike on both sides", fixture, async (bed) => {
    await using listener = await bed.listen();
    const accepting = listener.accept();
    const a = fixture.keep(await bed.connect(listener.addr, CONNECT));
    const b = fixture.keep(await accepting);
    expect(b.localAddr).toEqual(a.remoteAddr);
    expect(b.remoteAddr).toEqual(a.localAddr);
    expect(a.remoteAddr).toEqual(listener.addr);
  });

  listenTest("keeps a connection in the backlog until it is accepted", fixture, async (bed) => {
    await using listener = await bed.listen({ backlog: 8 });
    const connecting = [1, 2, 3].map(async (value) => {
      const conn = fixture.keep(await bed.connect(listener.addr, CONNECT));
      await writeAll(conn, Uint8Array.of(value));
    });
    // Where a connect needs the accept, it waits here; where it does not, it is done before.
    const values: number[] = [];
    for (const _ of connecting) {
      const conn = fixture.keep(await listener.accept());
      values.push(...await readExactly(conn, 1));
    }
    await Promise.all(connecting);
    expect(values.sort()).toEqual([1, 2, 3]);
  });
}

function describeAccepting(fixture: Fixture): void {
  listenTest("goes on accepting after an accept was cancelled", fixture, async (bed) => {
    await using listener = await bed.listen();
    const stop = new AbortController();
    const waiting = rejectionCode(listener.accept({ signal: stop.signal }));
    stop.abort();
    expect(await waiting).toBe("cancelled");
    const accepting = listener.accept();
    const a = fixture.keep(await bed.connect(listener.addr, CONNECT));
    const b = fixture.keep(await accepting);
    await writeAll(a, Uint8Array.of(3));
    expect([...await readExactly(b, 1)]).toEqual([3]);
  });

  listenTest("ends accepts when the listener closes", fixture, async (bed) => {
    const listener = await bed.listen();
    const waiting = rejectionCode(listener.accept());
    await listener.close();
    await listener.close();
    expect(await waiting).toBe("closed");
    expect(await rejectionCode(listener.accept())).toBe("closed");
  });

  listenTest("keeps accepted connections when the listener closes", fixture, async (bed) => {
    const listener = await bed.listen();
    const accepting = listener.accept();
    const a = fixture.keep(await bed.connect(listener.addr, CONNECT));
    const b = fixture.keep(await accepting);
    await listener.close();
    await writeAll(a, Uint8Array.of(4));
    expect([...await readExactly(b, 1)]).toEqual([4]);
  });

  listenTest("lets a port be used again after close", fixture, async (bed) => {
    const first = await bed.listen();
    await first.close();
    const second = await bed.listen({ address: first.addr });
    expect(second.addr).toEqual(first.addr);
    await second.close();
  });
}

function describeRefusal(fixture: Fixture): void {
  listenTest("refuses a second listener on the same address", fixture, async (bed) => {
    await using listener = await bed.listen();
    expect(await rejectionCode(bed.listen({ address: listener.addr }))).toBe("port_in_use");
  });

  listenTest("refuses a connect where nobody listens", fixture, async (bed) => {
    const address = await bed.unusedAddress();
    expect(await rejectionCode(bed.connect(address, CONNECT))).toBe("refused");
  });

  listenTest("ends a connect by its signal", fixture, async (bed) => {
    await using listener = await bed.listen();
    const signal = AbortSignal.abort();
    expect(await rejectionCode(bed.connect(listener.addr, { ...CONNECT, signal })))
      .toBe("cancelled");
  });

  listenTest("ends a connect that nobody answers by its time limit", fixture, async (bed) => {
    const address = await bed.silentAddress?.();
    if (address === undefined) return;
    expect(await rejectionCode(bed.connect(address, { timeoutMs: 150 }))).toBe("timeout");
  });
}
