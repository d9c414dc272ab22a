// What the flows make of a proved name, and of a peer that speaks TLS to a plain end.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Conn } from "../../../../transport/conn.ts";
import { ConnectLayer } from "../../../../transport/connect/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { FlowExchange } from "../../../../transport/flow/flow_exchange.ts";
import { encodeDocument, encodeU32 } from "../../../../transport/flow/flow_messages.ts";
import { FlowTrace } from "../../../../transport/flow/mod.ts";
import { refuseTlsRecord } from "../../../../transport/flow/tls_record.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { clock } = await currentRuntime();
const TOKEN = "00".repeat(16);
const ADDRESS = { family: "AF_INET", address: "127.0.0.1", port: 1 } as const;

/** The hello of "web01" over a connection whose certificate proved `proved`. */
async function helloFrom(proved: string | undefined): Promise<string> {
  const [near, far] = memoryPair(ADDRESS, ADDRESS);
  await using layer = new ConnectLayer({ network: null, storage: null });
  const conn: Conn = Object.defineProperty(near, "peerName", { value: proved });
  const descriptor = layer.adopt(conn, 0);
  const trace = new FlowTrace("client", clock, () => {});
  const { signal } = new AbortController();
  const exchange = new FlowExchange({ layer, clock, trace, signal }, "4", descriptor);
  const hello = { name: "web01", job: "j", token: TOKEN, connections: 2 };
  const messages = encodeDocument({
    type: "hello",
    versionMin: 1,
    versionMax: 1,
    connection: 1,
    ...hello,
  });
  for (const message of messages) await far.write(message);
  try {
    return (await exchange.receiveHello()).name;
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  } finally {
    far.abort("done");
  }
}

describe("a proved name", () => {
  test("must be the one in the hello", async () => {
    expect(await helloFrom("web01")).toBe("web01");
    expect(await helloFrom(undefined)).toBe("web01");
    expect(await helloFrom("db01")).toBe(
      'auth: Cannot use the connection of "db01": it says that it is "web01", need its name',
    );
  });
});

describe("refuseTlsRecord()", () => {
  test("knows a handshake and an alert of each version", () => {
    for (const head of [[22, 3, 1, 5], [22, 3, 3, 0], [21, 3, 3, 0], [21, 3, 1, 0]]) {
      expect(() => refuseTlsRecord(Uint8Array.from(head))).toThrow("the peer speaks TLS");
    }
  });

  test("takes every number below 65536, which all messages of the flows begin with", () => {
    fc.assert(fc.property(fc.nat(65535), (number) => refuseTlsRecord(encodeU32(number))));
  });
});
