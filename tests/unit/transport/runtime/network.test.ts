// What TCP does beyond the stream contract: time limits, the message and hint of errors.

import { describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/mod.ts";
import { RuntimeClock } from "../../../../transport/runtime/clock.ts";
import { currentRuntime, type Network } from "../../../../transport/runtime/mod.ts";
import { networkError } from "../../../../transport/runtime/network_error.ts";
import { OwnSockets } from "../../../../transport/runtime/own_sockets.ts";

const runtime = await currentRuntime();

/** Every wait is over at once. */
class ImpatientClock extends RuntimeClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

async function impatientNetwork(): Promise<Network> {
  const clock = new ImpatientClock(1);
  if (runtime.name === "bun") {
    const [{ BunNetwork }, { openBunLibc }] = await Promise.all([
      import("../../../../transport/runtime/bun_network.ts"),
      import("../../../../transport/runtime/bun_libc.ts"),
    ]);
    const libc = openBunLibc();
    return new BunNetwork({ clock, libc, sockets: new OwnSockets(libc, runtime.files) });
  }
  const [{ DenoNetwork }, { openDenoLibc }] = await Promise.all([
    import("../../../../transport/runtime/deno_network.ts"),
    import("../../../../transport/runtime/deno_libc.ts"),
  ]);
  const libc = openDenoLibc();
  return new DenoNetwork({ clock, libc, sockets: new OwnSockets(libc, runtime.files) });
}

function portOf(listener: { addr: { port: number } }): number {
  return listener.addr.port;
}

describe("Network connect()", () => {
  test("throws timeout when the time is up", async () => {
    await using listener = await runtime.network.listen({ address: "127.0.0.1", port: 0 });
    const network = await impatientNetwork();
    const target = { address: "127.0.0.1", port: portOf(listener), timeoutMs: 1 };
    const thrown: unknown = await network.connect(target).catch((e: unknown) => e);
    expect((thrown as AgentError).code).toBe("timeout");
    expect((thrown as AgentError).message).toContain(`connect to "127.0.0.1:${target.port}"`);
  });

  test("names the address and gives a hint when nobody listens", async () => {
    const listener = await runtime.network.listen({ address: "127.0.0.1", port: 0 });
    await listener.close();
    const target = { address: "127.0.0.1", port: portOf(listener), timeoutMs: 5000 };
    const thrown: unknown = await runtime.network.connect(target).catch((e: unknown) => e);
    expect(thrown).toBeInstanceOf(AgentError);
    expect((thrown as AgentError).hint).toContain("Start the agent");
  });
});

describe("Conn abort()", () => {
  test("resets an IPv6 connection too", async () => {
    await using listener = await runtime.network.listen({ address: "::1", port: 0 });
    const target = { address: "::1", port: portOf(listener), timeoutMs: 5000 };
    const [near, far] = await Promise.all([runtime.network.connect(target), listener.accept()]);
    near.abort("the test says so");
    const thrown: unknown = await far.read(new Uint8Array(1)).catch((e: unknown) => e);
    expect((thrown as AgentError).code).toBe("reset");
    far.abort("done");
  });
});

describe("networkError()", () => {
  test("maps codes and Deno's names, and keeps the cause", () => {
    const cases = [
      ["ECONNRESET", "reset"],
      ["EPIPE", "reset"],
      ["EADDRINUSE", "port_in_use"],
      ["ETIMEDOUT", "timeout"],
      ["EHOSTUNREACH", "unreachable"],
      ["EWHATEVER", "failed"],
    ] as const;
    for (const [code, expected] of cases) {
      const cause = Object.assign(new Error("x"), { code });
      const error = networkError('read from "a:1"', cause);
      expect([error.code, error.cause]).toEqual([expected, cause]);
    }
    const named = Object.assign(new Error("x"), { name: "ConnectionRefused" });
    expect(networkError("connect", named).code).toBe("refused");
  });
});
