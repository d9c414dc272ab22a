// `agent doctor` over installations in a temporary folder: one that is in order, and each thing
// that can be wrong alone.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { HOST_LIFE_MS } from "../../../../agent/pki/limits.ts";
import { VALIDATION } from "../control/fake_daemon.ts";
import { TemporaryPki } from "../../transport/tls/temporary_pki.ts";
import { CliBed, type Ran } from "./cli_bed.ts";

const DAY_MS = 86_400_000;

interface FoundLine {
  readonly check: string;
  readonly subject: string;
  readonly verdict: string;
  readonly message: string;
  readonly hint: string | null;
}

describe("doctor", () => {
  let bed: CliBed;
  let port = 0;
  const peer = createServer((socket) => socket.on("error", () => {}));

  beforeEach(async () => {
    bed = await CliBed.open();
    await new Promise<void>((ready) => peer.listen(0, "127.0.0.1", ready));
    const address = peer.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
  });
  afterEach(async () => {
    peer.close();
    await bed.close();
  });

  const path = (name: string) => join(bed.directory, name);

  /** Writes a server's file, with lines that take the place of others of their key. */
  function write(changes: Readonly<Record<string, string>> = {}): void {
    const keys: Record<string, string> = {
      name: "vault01",
      network: "{ listen: 127.0.0.1, port: 7430 }",
      control: "unix:c.sock",
      stgs: "[{ name: stg0, host: 1, array: array, volumes: [v0] }]",
      vault: "vault",
      clients: `{ web01: { address: 127.0.0.1, port: ${port}, stg: stg0 } }`,
      ...changes,
    };
    const text = Object.entries(keys).map(([key, value]) => `${key}: ${value}\n`).join("");
    writeFileSync(path("server.yaml"), text);
  }

  async function examined(): Promise<{ ran: Ran; found: readonly FoundLine[] }> {
    const ran = await bed.run("doctor", "--config", "server.yaml", "--json");
    expect(ran.stderr).toBe("");
    const found = ran.stdout.trim().split("\n").map((line) => JSON.parse(line));
    return { ran, found };
  }

  /** Exit code and the findings of one check. */
  async function of(check: string): Promise<[number, readonly FoundLine[]]> {
    const { ran, found } = await examined();
    return [ran.code, found.filter((one) => one.check === check)];
  }

  /** Names, modes and contents of the folder. */
  function content(): string {
    const names = readdirSync(bed.directory, { recursive: true }).map(String).sort();
    const hash = createHash("sha256");
    for (const name of names) hash.update(`${name} ${statSync(path(name)).mtimeMs}\n`);
    return hash.digest("hex");
  }

  test("finds nothing wrong where nothing is, exits 0 and writes nothing", async () => {
    write();
    mkdirSync(path("vault"));
    const before = content();
    const { ran, found } = await examined();
    const bad = found.filter(({ verdict, check }) => verdict !== "ok" && check !== "vault");
    expect([ran.code, bad.filter(({ check }) => check !== "daemon")]).toEqual([0, []]);
    expect(content()).toBe(before);
    const checks = [...new Set(found.map(({ check }) => check))].sort();
    expect(checks).toEqual([
      "certificate",
      "clock",
      "configuration",
      "control",
      "daemon",
      "group",
      "kernel",
      "peer",
      "user",
      "vault",
    ]);
    const text = await bed.run("doctor", "--config", "server.yaml");
    expect(text.stdout).toContain("OK    configuration");
  });

  test("tells of a directory that keeps a database's user from its log's socket", async () => {
    const keys = `name: web01
network: { listen: 127.0.0.1, port: 7530 }
control: unix:c.sock
server: { address: 127.0.0.1, port: ${port} }
stgs: [{ name: stg0, host: 2, array: array, volumes: [v0] }]
wal_socket: { path: run/agent/wal.sock, user: nobody }
`;
    writeFileSync(path("server.yaml"), keys);
    mkdirSync(path("run"));
    chmodSync(bed.directory, 0o711);
    for (const [mode, verdict] of [[0o700, "fail"], [0o711, "ok"]] as const) {
      chmodSync(path("run"), mode);
      const [code, [found]] = await of("wal_socket");
      expect([found?.verdict, found?.subject]).toEqual([verdict, path("run/agent/wal.sock")]);
      if (verdict === "fail") expect(code).toBe(1);
      else expect(found?.message).toBe('in reach of user "nobody"');
    }
  });

  test("names every problem of the file, with its place, and looks no further", async () => {
    write({ vualt: "x", network: "{ port: 0 }" });
    const { ran, found } = await examined();
    expect(ran.code).toBe(1);
    expect(found.length).toBeGreaterThan(1);
    expect(found.every(({ check, verdict }) => check === "configuration" && verdict === "fail"))
      .toBe(true);
    expect(found.map(({ subject }) => /server\.yaml:\d+:\d+$/.test(subject))).not.toContain(false);
  });

  test("tells a file where the vault should be, and a directory that is not there yet", async () => {
    write({ vault: "server.yaml" });
    const [code, [file]] = await of("vault");
    expect([code, file?.verdict, file?.message.includes("need a directory")])
      .toEqual([1, "fail", true]);
    write({ vault: "later/vault" });
    const [, [later]] = await of("vault");
    expect(later?.message).toContain("will be made");
  });

  test("tells keys open to all, of others, and certificates that end soon", async () => {
    using pki = await TemporaryPki.make(HOST_LIFE_MS - 20 * DAY_MS);
    const old = await pki.issue("vault01");
    const { key } = await pki.issue("other", { agoMs: 0 });
    mkdirSync(path("pki"));
    const put = (name: string, text: string) =>
      writeFileSync(path(`pki/${name}`), text, { mode: 0o600 });
    put("ca.pem", old.ca);
    put("vault01.pem", old.cert);
    put("vault01.key", old.key);
    put("other.key", key);
    const tls = (key: string) => `{ ca: pki/ca.pem, cert: pki/vault01.pem, key: pki/${key}.key }`;
    write({ tls: tls("vault01"), clients: "{}" });
    const [code, soon] = await of("certificate");
    expect([code, soon.map(({ verdict }) => verdict)]).toEqual([0, ["ok", "warn", "ok"]]);
    write({ tls: tls("other"), clients: "{}" });
    const [wrongCode, [other]] = await of("certificate");
    expect([wrongCode, other?.message.includes("the key of another certificate")])
      .toEqual([1, true]);
    chmodSync(path("pki/vault01.key"), 0o644);
    write({ tls: tls("vault01"), clients: "{}" });
    const [openCode, [open]] = await of("certificate");
    expect([openCode, open?.hint?.includes("chmod 600")]).toEqual([1, true]);
  });

  test("a peer and a daemon that do not answer are doubts, not failures", async () => {
    write({ control: "unix:none.sock" });
    peer.close();
    const [code, [daemon]] = await of("daemon");
    expect([code, daemon?.verdict]).toEqual([0, "warn"]);
    expect(daemon?.hint).toContain("systemctl start agent-server");
    const [, [silent]] = await of("peer");
    expect([silent?.subject, silent?.verdict]).toEqual(["web01", "warn"]);
  });

  test("compares the clocks of clients that answer with the server's", async () => {
    write();
    const clockOf = async (clockAheadMs: number | null) => {
      bed.daemon.validation = { ...VALIDATION, clockAheadMs };
      const [code, found] = await of("clock");
      const one = found.find(({ subject }) => subject === "web01");
      return [code, one?.verdict, one?.message];
    };
    expect(await clockOf(-900)).toEqual([0, "ok", expect.any(String)]);
    expect(await clockOf(41_000))
      .toEqual([0, "warn", "the client's clock is 41 s ahead of the server's"]);
    expect(await clockOf(-7_000))
      .toEqual([0, "warn", "the client's clock is 7 s behind the server's"]);
    expect(await clockOf(null)).toEqual([0, undefined, undefined]);
    expect((await bed.run("validate", "web01")).stdout).not.toContain("clock");
    bed.daemon.validation = { ...VALIDATION, clockAheadMs: 60_000 };
    expect((await bed.run("validate", "web01")).stdout).toContain("60 s ahead of the server's");
  });

  test("an endpoint that others on the network can listen to is a doubt", async () => {
    writeFileSync(path("token"), "0123456789abcdef", { mode: 0o600 });
    write({ control: "http://0.0.0.0:9", control_token: "token" });
    const [code, [found]] = await of("endpoint");
    expect([code, found?.verdict, found?.subject]).toEqual([0, "warn", "0.0.0.0:9"]);
    expect(found?.hint).toContain("ssh -L 9:127.0.0.1:9");
    write({ control: "http://127.0.0.1:9", control_token: "token" });
    expect(await of("endpoint")).toMatchObject([0, [{ verdict: "ok" }]]);
    write();
    expect(await of("endpoint")).toEqual([0, []]);
  });

  test("a token that every user can read is a failure", async () => {
    write({ control: "http://127.0.0.1:9", control_token: "token" });
    writeFileSync(path("token"), "0123456789abcdef", { mode: 0o644 });
    expect(await of("token")).toMatchObject([1, [{ verdict: "fail" }]]);
    chmodSync(path("token"), 0o640);
    expect(await of("token")).toMatchObject([0, [{ verdict: "ok" }]]);
  });

  test("a group that cannot be read is a failure with its hint", async () => {
    write({ stgs: "[{ name: broken, host: 1, array: array, volumes: [v0] }]", clients: "{}" });
    const [code, [group]] = await of("group");
    expect([code, group?.verdict, group?.subject]).toEqual([1, "fail", "broken"]);
    expect(group?.hint).toBe("Format it.");
  });
});
