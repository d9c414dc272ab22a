// Who may talk to whom: each refusal is seen at both ends, with the code and the names.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { Conn, Listener } from "../../../../transport/conn.ts";
import { currentRuntime, type TlsCredentials } from "../../../../transport/runtime/mod.ts";
import { certificateFacts, derOf, normalSerial } from "../../../../transport/tls/mod.ts";
import { secureNetwork } from "../../../../transport/tls/mod.ts";
import {
  roguePlainClient,
  roguePlainServer,
  rogueTlsClient,
  rogueTlsServer,
} from "./rogue_peer.ts";
import { TemporaryPki } from "./temporary_pki.ts";

const HOST = "127.0.0.1";
const DAY_MS = 86_400_000;
const runtime = await currentRuntime();
const pki = await TemporaryPki.make(1500 * DAY_MS);
const other = await TemporaryPki.make();
const web01 = await pki.issue("web01", { agoMs: 0 });
const vault01 = await pki.issue("vault01", { agoMs: 0 });
const db01 = await pki.issue("db01", { agoMs: 0 });
/** Of our CA, over since two years. */
const expired = await pki.issue("old01");
const stranger = await other.issue("web01");

afterAll(() => {
  pki[Symbol.dispose]();
  other[Symbol.dispose]();
});

let refused: AgentError[] = [];
let onRefused = Promise.withResolvers<AgentError>();
let listener: Listener;

function network(name: string, credentials: TlsCredentials, peers: readonly string[]) {
  return secureNetwork(runtime, {
    name,
    peers,
    credentials,
    onRefused: (error) => {
      refused.push(error);
      onRefused.resolve(error);
    },
  });
}

function portOf(): number {
  return listener.addr.family === "AF_INET" ? listener.addr.port : 0;
}

function dial(
  name: string,
  credentials: TlsCredentials,
  options: { readonly peers?: readonly string[]; readonly port?: number; timeoutMs?: number } = {},
): Promise<Conn> {
  const { peers = ["web01"], port = portOf(), timeoutMs = 4000 } = options;
  return network(name, credentials, peers).connect({ address: HOST, port, timeoutMs });
}

async function refusal(wait: Promise<unknown>): Promise<AgentError> {
  try {
    await wait;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("secureNetwork()", () => {
  beforeEach(async () => {
    refused = [];
    onRefused = Promise.withResolvers<AgentError>();
    listener = await network("web01", web01, ["vault01"]).listen({ address: HOST, port: 0 });
  });
  afterEach(() => listener.close());

  test("names the peer at both ends, and counts the user's bytes only", async () => {
    const a = await dial("vault01", vault01);
    const b = await listener.accept();
    expect([a.peerName, b.peerName]).toEqual(["web01", "vault01"]);
    expect(await a.write(new Uint8Array(1000))).toBe(1000);
    expect(a.counters).toEqual({ sentBytes: 1000, receivedBytes: 0 });
    const into = new Uint8Array(2000);
    let count = 0;
    while (count < 1000) count += await b.read(into) ?? 0;
    expect(b.counters).toEqual({ sentBytes: 0, receivedBytes: 1000 });
    a.abort("done");
    b.abort("done");
  });

  test("connect() refuses a listening peer of another name, and tells it", async () => {
    const error = await refusal(dial("vault01", vault01, { peers: ["db01"] }));
    expect(error.code).toBe("auth");
    expect(error.message).toContain('found "web01" in its certificate, need "db01"');
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toContain('"vault01" found "web01" in our certificate');
    expect(told.hint).toContain('Name "web01" in the configuration of "vault01"');
  });

  test("listen() refuses a connecting peer of another name, and tells it", async () => {
    const error = await refusal(dial("db01", db01));
    expect(error.code).toBe("auth");
    expect(error.message).toContain('"web01" found "db01" in our certificate');
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toContain('found "db01" in its certificate, need "vault01"');
    expect(told.hint).toContain("agent pki issue");
  });

  test("connect() refuses a peer of another CA, which hears of it", async () => {
    const error = await refusal(
      dial("web01", { ...stranger, ca: vault01.ca }, { peers: ["web01"] }),
    );
    expect(error.code).toBe("auth");
    expect((await onRefused.promise).code).toBe("auth");

    await using rogue = await rogueTlsServer({ ...stranger, minVersion: "TLSv1.3" });
    const found = await refusal(dial("vault01", vault01, { port: rogue.port }));
    expect(found.code).toBe("auth");
    expect(found.message).toContain("its certificate is not of our CA");
  });

  test("refuses a revoked certificate, by serial and by name, from the next handshake on", async () => {
    const revoked: string[] = [];
    const { serial } = certificateFacts(derOf(vault01.cert));
    const isRevoked = (one: { serial: string; names: readonly string[] }) =>
      revoked.some((entry) => one.names.includes(entry) || normalSerial(entry) === one.serial);
    const own = secureNetwork(runtime, {
      name: "web01",
      peers: ["vault01"],
      credentials: web01,
      isRevoked,
      onRefused: (error) => onRefused.resolve(error),
    });
    await using second = await own.listen({ address: HOST, port: 0 });
    const port = second.addr.family === "AF_INET" ? second.addr.port : 0;
    const good = await dial("vault01", vault01, { port });
    (await second.accept()).abort("done");
    good.abort("done");
    for (const entry of [serial.toUpperCase().replace(/(..)/g, "$1:"), "vault01"]) {
      revoked.splice(0, 1, entry);
      onRefused = Promise.withResolvers<AgentError>();
      expect((await refusal(dial("vault01", vault01, { port }))).code).toBe("auth");
      expect((await onRefused.promise).message).toContain("is revoked");
    }
  });

  test("refuses an expired certificate, of a listening and of a connecting peer", async () => {
    await using rogue = await rogueTlsServer({ ...expired, minVersion: "TLSv1.3" });
    const found = await refusal(dial("vault01", vault01, { port: rogue.port, peers: ["old01"] }));
    expect(found.code).toBe("auth");
    expect(found.message).toMatch(/its certificate (?:has expired|is .* not valid now)/);

    const read = await rogueTlsClient(portOf(), { ...expired, minVersion: "TLSv1.3" });
    expect(read.length).toBe(0);
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toMatch(/its certificate (?:has expired|is .* not valid now)/);
  });

  test("refuses a peer without a certificate, with a word for the log", async () => {
    const read = await rogueTlsClient(portOf(), { ca: web01.ca, minVersion: "TLSv1.3" });
    expect(read.length).toBe(0);
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toContain("it showed no certificate");
  });

  test("refuses TLS 1.2 at both ends", async () => {
    const read = await rogueTlsClient(portOf(), { ...vault01, maxVersion: "TLSv1.2" });
    expect(read.length).toBe(0);
    expect((await onRefused.promise).message).toContain("does not speak TLS 1.3");
    await using rogue = await rogueTlsServer({ ...web01, maxVersion: "TLSv1.2" });
    const error = await refusal(dial("vault01", vault01, { port: rogue.port }));
    expect(error.code).toBe("auth");
    expect(error.message).toContain("does not speak TLS 1.3");
  });

  test("a plain peer that connects is turned away, and the log says why", async () => {
    await roguePlainClient(portOf(), new Uint8Array(16));
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toContain("it does not speak TLS");
  });

  test("connect() tells a plain listener by its answer, and by its end", async () => {
    for (const answer of ["no TLS here, just words that go on and on", null]) {
      await using rogue = await roguePlainServer(answer);
      const error = await refusal(dial("vault01", vault01, { port: rogue.port }));
      expect(error.code).toBe("auth");
      expect(error.hint).toContain("`tls`");
    }
  });

  test("a silent stranger holds up nobody", async () => {
    const silent = roguePlainClient(portOf(), Uint8Array.of(22, 3, 1));
    const a = await dial("vault01", vault01);
    const b = await listener.accept();
    expect(b.peerName).toBe("vault01");
    a.abort("done");
    b.abort("done");
    await silent; // The deadline of the handshake ends it.
    expect((await onRefused.promise).code).toBe("timeout");
  }, 10_000);

  test("refuses a peer that resumes a session instead of showing its certificate", async () => {
    const client = async (session: string) => {
      const files = "-CAfile ca.pem -cert vault01.pem -key vault01.key";
      const call = `openssl s_client -connect ${HOST}:${portOf()} ${files} ${session} s.pem`;
      // It accepts us, and stays until the tickets have come.
      const script = `(printf '\\001'; sleep 0.3) | ${call}`;
      const child = spawn("sh", ["-c", script], { cwd: pki.directory, stdio: "ignore" });
      await once(child, "close");
    };
    const accepting = listener.accept();
    await client("-sess_out");
    const conn = await accepting;
    expect(conn.peerName).toBe("vault01");
    conn.abort("done");
    expect(refused).toEqual([]);
    await client("-sess_in");
    const told = await onRefused.promise;
    expect(told.code).toBe("auth");
    expect(told.message).toContain("it showed no certificate in this handshake");
  });

  test("renew() shows other files and knows other peers, on an open listener too", async () => {
    const own = network("web01", web01, ["vault01"]);
    await using open = await own.listen({ address: HOST, port: 0 });
    const port = open.addr.family === "AF_INET" ? open.addr.port : 0;
    const a = await dial("vault01", vault01, { port });
    const b = await open.accept();
    own.renew({ credentials: stranger, peers: ["db01"] });
    // Who came before stays; who comes now is measured by the new ones.
    expect(await a.write(Uint8Array.of(7))).toBe(1);
    const into = new Uint8Array(1);
    expect([await b.read(into), into[0]]).toEqual([1, 7]);
    expect((await refusal(dial("vault01", vault01, { port }))).code).toBe("auth");
    const db = await other.issue("db01", { agoMs: 0 });
    const c = await dial("db01", db, { port });
    expect([c.peerName, (await open.accept()).peerName]).toEqual(["web01", "db01"]);
    // A stranger without a certificate is as unwelcome as before.
    onRefused = Promise.withResolvers<AgentError>();
    await rogueTlsClient(port, { ca: stranger.ca, minVersion: "TLSv1.3" });
    expect((await onRefused.promise).message).toContain("it showed no certificate");
    expect(() => own.renew({ credentials: expired, peers: [] })).toThrow("`tls.cert`");
    expect(() => own.renew({ credentials: vault01, peers: [] })).toThrow('found "vault01"');
    const d = await dial("db01", db, { port });
    expect(d.peerName).toBe("web01");
    for (const conn of [a, b, c, d]) conn.abort("done");
  });

  test("refuses its own files when they do not fit", async () => {
    const cases: [TlsCredentials, string][] = [
      [{ ...web01, key: vault01.key }, "`tls.key`: found the key of another certificate"],
      [{ ...web01, ca: web01.cert }, "`tls.ca`: found the certificate of a host"],
      [{ ...web01, cert: "x" }, "`tls.cert`: found no certificate"],
      [expired, "`tls.cert`: found that it expired"],
      [vault01, '`tls.cert`: found "vault01" in it, need "web01"'],
    ];
    for (const [credentials, message] of cases) {
      const error = await refusal((async () => await network("web01", credentials, []))());
      expect(error.code).toBe("usage");
      expect(error.message).toContain(message);
    }
  });
});
