// The relay between real threads, and its ends: a thread that died, an error that crosses.

import { describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/mod.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";
import { RelayConn, serveRelay } from "../../../../transport/relay/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { receiveAll, sendSeeded } from "../../../contract/conn_bytes.ts";

const { startThread } = await currentRuntime();
const HERE = { family: "AF_MEMORY", address: "here", port: 1 } as const;
const THERE = { family: "AF_MEMORY", address: "there", port: 2 } as const;

describe("serveRelay()", () => {
  test("carries a connection to another thread and back", async () => {
    const thread = startThread(new URL("./relay_thread.ts", import.meta.url));
    try {
      const [near, far] = memoryPair(HERE, THERE);
      const { port1, port2 } = new MessageChannel();
      const served = serveRelay(far, port1);
      const answer = new Promise((resolve) => thread.onMessage(resolve));
      const addresses = { localAddr: far.localAddr, remoteAddr: far.remoteAddr };
      thread.post({ port: port2, addresses }, [port2]);
      const count = 5_000_000;
      const [crc, echoed] = await Promise.all([sendSeeded(near, 3, count), receiveAll(near)]);
      expect(echoed).toEqual({ count, crc });
      expect(await answer).toEqual({ sentBytes: count, receivedBytes: count });
      await served;
    } finally {
      thread.terminate();
    }
  });

  test("aborts the connection when the other end's thread is gone", async () => {
    const [near, far] = memoryPair(HERE, THERE);
    const { port1, port2 } = new MessageChannel();
    const gone = new AbortController();
    const served = serveRelay(far, port1, { signal: gone.signal });
    gone.abort();
    await served;
    const thrown: unknown = await near.read(new Uint8Array(1)).catch((e: unknown) => e);
    expect((thrown as AgentError).code).toBe("reset");
    // The serving end has closed its port: nothing that the other says keeps it alive or comes in.
    port2.postMessage({ kind: "end" });
    port2.close();
  });

  test("carries the connection's error with its code to the relayed end", async () => {
    const [near, far] = memoryPair(HERE, THERE);
    const { port1, port2 } = new MessageChannel();
    const served = serveRelay(far, port1);
    const relayed = new RelayConn(port2, far);
    const reading = relayed.read(new Uint8Array(1)).catch((e: unknown) => e);
    near.abort("the test says so");
    const thrown = await reading as AgentError;
    expect([thrown.code, thrown.message]).toEqual([
      "reset",
      "Cannot use the connection: the peer aborted, the test says so",
    ]);
    await relayed.close();
    await served;
  });
});
