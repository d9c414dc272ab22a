// The audit log: who did what, a line each; old files get numbers; a full disk is said and survived.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAudit } from "../../../agent/audit_log.ts";
import { createControlApp } from "../../../agent/control/mod.ts";
import { currentRuntime } from "../../../transport/runtime/mod.ts";
import { FakeDaemon } from "./control/fake_daemon.ts";

const { files } = await currentRuntime();
const clock = { wallMs: () => Date.UTC(2026, 0, 1) };
const TOKEN = "0123456789abcdef";
let directory = "";
let path = "";
let troubles: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "audit-"));
  path = join(directory, "audit.jsonl");
  troubles = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function audit(fileBytes = 4096) {
  return openAudit(path, { files, clock, fileBytes, onTrouble: (text) => troubles.push(text) });
}

function lines(file = path) {
  return readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
}

describe("openAudit()", () => {
  test("appends what was there before, and cuts long texts", () => {
    audit()({ who: { by: "peer", name: "web01" }, action: "file job", result: "admitted" });
    audit()({ who: { by: "stranger" }, action: "connect", result: "x".repeat(9999) });
    expect(lines()[0]).toEqual({
      time: "2026-01-01T00:00:00.000Z",
      who: { by: "peer", name: "web01" },
      action: "file job",
      result: "admitted",
    });
    expect(lines()[1].result.length).toBe(512);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("keeps four old files and loses no line of those it keeps", () => {
    const log = audit(200);
    for (let number = 0; number < 20; number++) {
      log({ who: { by: "token" }, action: String(number), result: "200" });
    }
    expect(existsSync(`${path}.5`)).toBe(false);
    const kept = [4, 3, 2, 1].flatMap((old) => lines(`${path}.${old}`)).concat(lines());
    const numbers = kept.map(({ action }) => Number(action));
    expect(numbers).toEqual(numbers.map((_, index) => 20 - numbers.length + index));
  });

  test("says that it cannot write, and goes on", () => {
    path = join(directory, "missing", "audit.jsonl");
    audit()({ who: {}, action: "a", result: "b" });
    expect(troubles[0]).toContain("ENOENT");
  });

  test("has each request that changes something, and no secret of it", async () => {
    const never = new Promise<void>(() => {});
    const time = { monotonicMs: () => 0, sleep: () => never };
    const random = { bytes: (count: number) => new Uint8Array(count).fill(1) };
    const access = { token: TOKEN, hosts: ["h"], clock: time, random };
    const app = createControlApp(new FakeDaemon(), { clock: time, access, audit: audit() });
    const post = (target: string, body: unknown, headers: Record<string, string> = {}) =>
      app.request(`http://h${target}`, {
        method: "POST",
        headers: { host: "h", "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    const restore = { kind: "restore-filesystem", backup: "latest", target: "/r" };
    await post("/v1/session", { token: "wrong-secret" });
    await post("/v1/session", { token: TOKEN });
    await post("/v1/jobs", restore, { authorization: `Bearer ${TOKEN}` });
    await post("/v1/jobs", restore);
    await app.request("http://h/v1/status", { headers: { host: "h" } });
    const seen = lines().map(({ who, action, result }) => [who.by, action, result]);
    expect(seen).toEqual([
      ["nobody", "POST /v1/session", "401"],
      ["token", "POST /v1/session", "204"],
      ["token", "POST /v1/jobs", "202"],
      ["nobody", "POST /v1/jobs", "401"],
    ]);
    expect(lines()[2].details).toMatchObject({ kind: "restore-filesystem", target: "/r" });
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain("wrong-secret");
  });
});
