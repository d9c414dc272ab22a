// The network mechanism: the life cycle of its sockets over the runtime's TCP.

import { afterEach, describe, expect, test } from "bun:test";
import type { Address } from "../../../../transport/conn.ts";
import type { MechanismSocket } from "../../../../transport/connect/mechanism.ts";
import {
  AgentError,
  AssertionFailure,
  readExactly,
  writeAll,
} from "../../../../transport/ground/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";

const { network } = await currentRuntime();
const mechanism = new TcpMechanism(network);
const ANY: Address = { family: "AF_INET", address: "127.0.0.1", port: 0 };

let open: MechanismSocket[] = [];

function socket(): MechanismSocket {
  const made = mechanism.socket();
  open.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(open.map((made) => made.close()));
  open = [];
});

async function listening(): Promise<MechanismSocket> {
  const made = socket();
  await made.bind(ANY);
  await made.listen({ backlog: 4 });
  return made;
}

async function codeOf(wait: Promise<unknown>): Promise<string> {
  const thrown: unknown = await wait.catch((e: unknown) => e);
  return thrown instanceof AgentError ? thrown.code : "none";
}

describe("TcpMechanism", () => {
  test("goes through the passive and the active life cycle", async () => {
    const passive = await listening();
    const address = passive.getsockname();
    expect(address).toMatchObject({ family: "AF_INET", address: "127.0.0.1" });
    const active = socket();
    await active.bind(address);
    expect(active.getsockname()).toEqual(address);
    const accepting = passive.accept();
    await active.connect(address, { timeoutMs: 5000 });
    const accepted = await accepting;
    open.push(accepted);
    expect(active.getsockname()).toEqual(accepted.conn.remoteAddr);
    expect(accepted.getsockname()).toEqual(address);
    await writeAll(active.conn, Uint8Array.of(1, 2));
    expect([...await readExactly(accepted.conn, 2)]).toEqual([1, 2]);
  });

  test("refuses a bound port and a port without a listener", async () => {
    const passive = await listening();
    const second = socket();
    await second.bind(passive.getsockname());
    expect(await codeOf(second.listen({ backlog: 1 }))).toBe("port_in_use");
    await passive.close();
    expect(await codeOf(socket().connect(passive.getsockname(), { timeoutMs: 5000 })))
      .toBe("refused");
  });

  test("ends a waiting accept when the socket closes, and refuses use afterwards", async () => {
    const passive = await listening();
    const accepting = codeOf(passive.accept());
    await passive.close();
    await passive.close();
    expect(await accepting).toBe("closed");
    expect(await codeOf(passive.accept())).toBe("closed");
    expect(() => passive.bind(ANY)).toThrow(AgentError);
  });

  test("asserts the order of calls", async () => {
    const fresh = socket();
    expect(() => fresh.conn).toThrow(AssertionFailure);
    expect(await fresh.listen({ backlog: 1 }).catch((e: unknown) => e))
      .toBeInstanceOf(AssertionFailure);
    expect(await fresh.accept().catch((e: unknown) => e)).toBeInstanceOf(AssertionFailure);
    expect(() => fresh.bind({ family: "AF_STP", stg: "s", host: 1, port: 1 }))
      .toThrow(AssertionFailure);
  });
});
