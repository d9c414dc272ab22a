// Two daemons with mutual TLS: backups of files and of a database work, and whoever cannot prove
// the name that the other's configuration asks for gets nothing, with a word at both ends.

import { afterEach, describe, expect, test } from "bun:test";
import { randomBytes, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Bed, type BedOptions } from "./bed.ts";
import { DatagramReceiver } from "../unit/transport/runtime/datagram_receiver.ts";
import { until } from "./deadline.ts";
import { makeDatabase, readDatabase } from "./sqlite_writer.ts";

const TIMEOUT_MS = 120_000;
const BOTH = ["server", "client"] as const;
const EXIT_AUTH = 12;
const TOLD_MS = 20_000;
const BULK_BYTES = 16 * 1024 * 1024;
/** Set-up, index rows and cursors of the bulk; TLS alone would add 22 KiB. */
const OVERHEAD_BYTES_MAX = 16 * 1024;

describe("daemons with mutual TLS", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  /** A bed with a CA and the certificates of both daemons, both up. */
  async function started(options: BedOptions = {}): Promise<Bed> {
    bed = await Bed.make({ tls: BOTH, ...options });
    await makePki(bed, "pki");
    await Promise.all([bed.start("server"), bed.start("client")]);
    mkdirSync(bed.path("data"));
    bed.write("data/file", "content");
    return bed;
  }

  async function makePki(bed: Bed, directory: string): Promise<void> {
    await bed.expectOk("pki", "init", bed.path(directory));
    for (const name of ["vault01", "web01"]) {
      await bed.expectOk("pki", "issue", bed.path(directory), name, "--address", "127.0.0.1");
    }
  }

  function backUpFiles(bed: Bed) {
    return bed.json("server", "backup", "filesystem", "--client", "web01", bed.path("data"));
  }

  test("back up files and a database, and restore both", async () => {
    const bed = await started({ clientKeys: "audit: client.jsonl" });
    makeDatabase(bed.path("app.db"), 1);
    const before = readDatabase(bed.path("app.db"));
    const files = await backUpFiles(bed);
    expect(files.code).toBe(0);
    expect(files.summary?.channels.storage.bytes).toBeGreaterThan(0);
    const target = bed.path("restored");
    await bed.job("server", "restore", files.summary?.backup ?? "", "--target", target);
    expect(readFileSync(`${target}${bed.path("data/file")}`, "utf8")).toBe("content");
    const database = await bed.job("client", "backup", "database", "app");
    expect(database.status).toBe("ok");
    const copy = bed.path("copy");
    const to = ["--database", "app", "--target", copy];
    await bed.job("client", "restore", database.backup ?? "", ...to);
    expect(readDatabase(`${copy}/app.db`)).toEqual(before);
    const audit = (file: string) => readFileSync(bed.path(file), "utf8");
    expect(audit("vault/audit.jsonl")).toMatch(
      /"name":"web01"},"action":"backup-database".*"database":"app"/,
    );
    expect(audit("client.jsonl")).toMatch(
      /"name":"vault01"},"action":"backup-filesystem","result":"allowed".*"paths":/,
    );
  }, TIMEOUT_MS);

  test("back up over the network alone: the data is counted, not what TLS adds", async () => {
    const bed = await started({ channel: "network-only" });
    writeFileSync(bed.path("data/bulk"), randomBytes(BULK_BYTES));
    const { code, summary } = await backUpFiles(bed);
    expect(code).toBe(0);
    expect(summary?.channels.storage.bytes).toBe(0);
    const network = summary?.channels.network.bytes ?? 0;
    expect(network).toBeGreaterThan(BULK_BYTES);
    expect(network).toBeLessThan(BULK_BYTES + OVERHEAD_BYTES_MAX);
  }, TIMEOUT_MS);

  test("SIGHUP takes a renewed certificate, and the supervisor hears of all", async () => {
    bed = await Bed.make({ tls: BOTH });
    await makePki(bed, "pki");
    using supervisor = await DatagramReceiver.open(bed.path("notify"));
    const told = (word: RegExp) =>
      until(TOLD_MS, `the word ${word}`, () => {
        const message = supervisor.take();
        return message !== null && word.test(message) ? message : null;
      });
    const env = { NOTIFY_SOCKET: bed.path("notify"), WATCHDOG_USEC: "60000000" };
    const [server] = await Promise.all([bed.start("server", { env }), bed.start("client")]);
    expect(await told(/^READY=1/)).toContain("STATUS=ready on 127.0.0.1:");
    await told(/^WATCHDOG=1/);
    // Both get new certificates of a new CA, and only one of them knows.
    await makePki(bed, "renewed");
    rmSync(bed.path("pki"), { recursive: true });
    renameSync(bed.path("renewed"), bed.path("pki"));
    mkdirSync(bed.path("data"));
    bed.write("data/file", "content");
    expect((await backUpFiles(bed)).code).toBe(EXIT_AUTH);
    bed.daemon("client").kill("SIGHUP");
    await bed.daemon("client").waitFor(/configuration read again/);
    expect((await backUpFiles(bed)).code).toBe(0);
    const good = readFileSync(bed.path("server.yaml"), "utf8");
    bed.write(
      "server.yaml",
      good.replace("vault: vault", "vault: other\nretention: { keep_last: 3 }"),
    );
    server.kill("SIGHUP");
    await told(/^RELOADING=1/);
    expect(await told(/^READY=1/)).toContain("reloaded, a restart is needed for vault");
    bed.write("server.yaml", good.replace("vault:", "vualt:"));
    server.kill("SIGHUP");
    expect(await told(/^READY=1.*reload failed/s)).toContain("server.yaml");
    await server.waitFor(/server\.yaml:\d+:1: vualt: /);
    expect((await backUpFiles(bed)).code).toBe(0);
    await bed.stop("server");
    await told(/^STOPPING=1/);
  }, TIMEOUT_MS);

  test(
    "a reload takes a first list of revoked certificates also for threads of before",
    async () => {
      const bed = await started();
      expect((await backUpFiles(bed)).code).toBe(0);
      const { serialNumber } = new X509Certificate(readFileSync(bed.path("pki/web01.pem")));
      bed.write("revoked.txt", `${serialNumber}\n`);
      const yaml = readFileSync(bed.path("server.yaml"), "utf8");
      bed.write("server.yaml", yaml.replace("tls: { ", "tls: { revoked: revoked.txt, "));
      bed.daemon("server").kill("SIGHUP");
      await bed.daemon("server").waitFor(/configuration read again: tls changed/);
      const { code, error } = await backUpFiles(bed);
      expect(code).toBe(EXIT_AUTH);
      expect(error?.message).toContain("revoked");
    },
    TIMEOUT_MS,
  );

  test(
    "a client that expects another server refuses it: exit 12, and a line in its log",
    async () => {
      const bed = await started({ serverName: "vault02" });
      const { code, error } = await backUpFiles(bed);
      expect(code).toBe(EXIT_AUTH);
      expect(error?.message).toContain('"web01" found "vault01" in our certificate');
      expect(error?.hint).toContain("server.name");
      expect(bed.daemon("client").stderr + bed.daemon("client").stdout)
        .toContain('found "vault01" in its certificate, need "vault02"');
      const database = await bed.json("client", "backup", "database", "app");
      expect(database.code).toBe(EXIT_AUTH);
      expect(database.error?.message).toContain('found "vault01" in its certificate');
    },
    TIMEOUT_MS,
  );

  test("a host with a certificate of another CA is refused: exit 12", async () => {
    bed = await Bed.make({ tls: BOTH });
    await makePki(bed, "pki");
    await makePki(bed, "other");
    bed.write(
      "client.yaml",
      readFileSync(bed.path("client.yaml"), "utf8").replaceAll("pki/", "other/"),
    );
    await Promise.all([bed.start("server"), bed.start("client")]);
    mkdirSync(bed.path("data"));
    const { code, error } = await backUpFiles(bed);
    expect(code).toBe(EXIT_AUTH);
    expect(error?.message).toContain("not of our CA");
    const database = await bed.json("client", "backup", "database", "app");
    expect(database.code).toBe(EXIT_AUTH);
  }, TIMEOUT_MS);

  test("one end with TLS and one without understand why they cannot talk", async () => {
    for (const side of BOTH) {
      const bed = await started({ tls: [side] });
      const { code, error } = await backUpFiles(bed);
      expect(code).toBe(EXIT_AUTH);
      expect(error?.hint).toContain("`tls`");
      makeDatabase(bed.path("app.db"), 1);
      const database = await bed.json("client", "backup", "database", "app");
      // Under Bun the four bytes of a port are too few to tell that they are no TLS.
      expect([1, EXIT_AUTH]).toContain(database.code ?? 0);
      expect(database.error?.hint).toContain("`tls`");
      await bed[Symbol.asyncDispose]();
    }
  }, TIMEOUT_MS);

  test(
    "without tls no address but loopback, of a listener or a peer: exit 2 with line and hint",
    async () => {
      bed = await Bed.make();
      const cases = [
        ["server", "listen: 127.0.0.1", "listen: 0.0.0.0", /server\.yaml:2:\d+: network\.listen: /],
        ["server", "address: 127.0.0.1", "address: 10.9.8.7", /clients\.web01\.address: /],
        [
          "client",
          "address: 127.0.0.1",
          "address: 10.9.8.7",
          /client\.yaml:\d+:\d+: server\.address: /,
        ],
      ] as const;
      for (const [side, from, to, place] of cases) {
        const file = bed.path(`${side}.yaml`);
        const good = readFileSync(file, "utf8");
        bed.write(`${side}.yaml`, good.replace(from, to));
        const checked = await bed.run(["config", "check", file]);
        const start = await bed.launch(side).ended;
        bed.write(`${side}.yaml`, good);
        for (const { code, stderr } of [checked, start]) {
          expect(code).toBe(2);
          expect(stderr).toMatch(place);
          expect(stderr).toContain("agent pki init");
        }
      }
    },
    TIMEOUT_MS,
  );

  test("missing files, and a certificate of another name, end the start: exit 2", async () => {
    bed = await Bed.make({ tls: BOTH });
    const missing = await bed.launch("server").ended;
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("`tls.ca`");
    await makePki(bed, "pki");
    for (const kind of ["pem", "key"]) {
      rmSync(bed.path("pki", `vault01.${kind}`));
      renameSync(bed.path("pki", `web01.${kind}`), bed.path("pki", `vault01.${kind}`));
    }
    const other = await bed.launch("server").ended;
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('found "web01"');
    expect(other.stderr).toContain('need "vault01"');
  }, TIMEOUT_MS);
});
