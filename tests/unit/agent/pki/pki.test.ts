// Certificates as stock openssl reads and verifies them, and files that never replace others.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueCertificate, type PkiParts } from "../../../../agent/pki/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { CliBed } from "../cli/cli_bed.ts";

const YEAR_MS = 365 * 86_400_000;
const runtime = await currentRuntime();
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agent-pki-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Stock openssl, which every machine of the tests has. */
function openssl(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("openssl", args, { cwd: directory });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stdout} ${stderr}`);
  return String(stdout);
}

async function failure(made: Promise<unknown>): Promise<string> {
  try {
    await made;
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("nothing failed");
}

function issue(name: string, addresses: readonly string[] = [], parts: PkiParts = runtime) {
  return issueCertificate(directory, { name, addresses }, parts);
}

describe("createAuthority() and issueCertificate()", () => {
  test("openssl verifies a host for both ends, strictly", async () => {
    await createAuthority(directory, runtime);
    await issue("web_01", ["10.0.0.7", "web01.example.com", "fe80::1"]);
    for (const purpose of ["sslserver", "sslclient"]) {
      const verify = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem"];
      expect(openssl(...verify, "web_01.pem")).toBe("web_01.pem: OK\n");
    }
    const text = openssl("x509", "-in", "web_01.pem", "-noout", "-text");
    expect(text).toContain(
      "DNS:web_01, IP Address:10.0.0.7, DNS:web01.example.com, IP Address:FE80",
    );
    expect(text).toContain("TLS Web Server Authentication, TLS Web Client Authentication");
    expect(text).toContain("NIST CURVE: P-256");
    expect(text).toContain("CA:FALSE");
    const authority = openssl("x509", "-in", "ca.pem", "-noout", "-text");
    expect(authority).toContain("CA:TRUE, pathlen:0");
    expect(authority).toContain("Certificate Sign, CRL Sign");
    const keys = ["ca", "web_01"].map((name) => {
      const key = openssl("pkey", "-in", `${name}.key`, "-pubout");
      expect(openssl("x509", "-in", `${name}.pem`, "-noout", "-pubkey")).toBe(key);
      return key;
    });
    expect(keys[0]).not.toBe(keys[1]);
  });

  test("serial numbers are positive, of 128 bits, and differ", async () => {
    await createAuthority(directory, runtime);
    await issue("a");
    await issue("b");
    const serials = ["ca", "a", "b"].map((name) =>
      openssl("x509", "-in", `${name}.pem`, "-noout", "-serial").trim()
    );
    expect(new Set(serials).size).toBe(3);
    for (const serial of serials) expect(serial).toMatch(/^serial=[4-7][0-9A-F]{31}$/);
  });

  test("a CA lives ten years, a host two, and never longer than its CA", async () => {
    const { expires } = await createAuthority(directory, runtime);
    const years = (Date.parse(expires) - Date.now()) / YEAR_MS;
    expect(years).toBeGreaterThan(9.9);
    const host = await issue("web01");
    expect((Date.parse(host.expires) - Date.now()) / YEAR_MS).toBeCloseTo(2, 1);
    const late = { ...runtime, clock: { wallMs: () => Date.now() + 9 * YEAR_MS } };
    expect((await issue("late", [], late)).expires).toBe(expires);
    const over = { ...runtime, clock: { wallMs: () => Date.now() + 11 * YEAR_MS } };
    expect(await failure(issue("over", [], over))).toContain("its CA has expired");
  });

  test("only the owner reads keys, and nothing else is left in the directory", async () => {
    await createAuthority(directory, runtime);
    await issue("web01");
    expect(readdirSync(directory).sort()).toEqual(["ca.key", "ca.pem", "web01.key", "web01.pem"]);
    for (const name of ["ca.key", "web01.key"]) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
  });

  test("neither replaces a file", async () => {
    await createAuthority(directory, runtime);
    await issue("web01");
    const before = readdirSync(directory).map((name) =>
      readFileSync(join(directory, name), "utf8")
    );
    expect(await failure(createAuthority(directory, runtime))).toContain("found a file there");
    expect(await failure(issue("web01"))).toContain("found a file there");
    rmSync(join(directory, "web01.key"));
    expect(await failure(issue("web01"))).toContain("web01.pem");
    writeFileSync(join(directory, "web01.key"), before[2] ?? "");
    const after = readdirSync(directory).map((name) => readFileSync(join(directory, name), "utf8"));
    expect(after).toEqual(before);
  });

  test("refuses names that no agent can have, and addresses that are none", async () => {
    await createAuthority(directory, runtime);
    for (const name of ["", "ca", "../up", "a/b", "-x", "a b", "x".repeat(65)]) {
      expect(await failure(issue(name))).toMatch(/^usage: Cannot issue for /);
    }
    for (const address of ["", "10.0.0.256", "1:2", "a b", "http://x", "a..b", ":::"]) {
      expect(await failure(issue("web01", [address]))).toMatch(/^usage: Cannot issue for address /);
    }
    expect(readdirSync(directory).sort()).toEqual(["ca.key", "ca.pem"]);
  });

  test("says what is wrong with a directory that cannot be made", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await failure(createAuthority(join(directory, "no", "deep"), runtime))).toBe(
      `failed: Cannot make "${directory}/no/deep": found no directory above it, ` +
        "need a place to write",
    );
    expect(await failure(createAuthority(join(directory, "file"), runtime))).toBe(
      `failed: Cannot make "${directory}/file/ca.pem": found a file where its directory should be, ` +
        "need a place to write",
    );
  });

  test("says what is wrong with a directory that is no CA", async () => {
    expect(await failure(issue("web01"))).toContain("found no such file");
    await createAuthority(directory, runtime);
    await issue("web01");
    const at = (name: string) => join(directory, name);
    const pem = readFileSync(at("ca.pem"), "utf8");
    copyFileSync(at("web01.pem"), at("ca.pem"));
    expect(await failure(issue("b"))).toContain("found the certificate of a host");
    writeFileSync(at("ca.pem"), pem);
    copyFileSync(at("web01.key"), at("ca.key"));
    expect(await failure(issue("b"))).toContain("found ca.key of another ca.pem");
    writeFileSync(at("ca.key"), "nonsense");
    expect(await failure(issue("b"))).toContain("found files that are no certificate and key");
  });
});

describe("agent pki", () => {
  test("prints what to copy where, as text and as JSON", async () => {
    const bed = await CliBed.open();
    try {
      const pki = join(directory, "pki");
      expect((await bed.run("pki", "init", pki)).stdout).toContain("secret");
      const text = await bed.run("pki", "issue", pki, "web01", "--address", "10.0.0.7");
      expect(text.code).toBe(0);
      expect(text.stdout).toContain(`${pki}/web01.key`);
      expect(text.stdout).toContain("tls: { ca: pki/ca.pem, cert: pki/web01.pem");
      const json = await bed.run("pki", "issue", pki, "db01", "--json");
      expect(JSON.parse(json.stdout)).toMatchObject({
        type: "certificate",
        name: "db01",
        ca: `${pki}/ca.pem`,
        cert: `${pki}/db01.pem`,
        key: `${pki}/db01.key`,
      });
      expect((await bed.run("pki", "issue", pki, "ca")).code).toBe(2);
      expect((await bed.run("pki", "init", pki)).code).toBe(1);
    } finally {
      await bed.close();
    }
  });
});
