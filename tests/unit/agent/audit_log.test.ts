// The audit log: who did what, a line each; old files get numbers; a full disk is said and survived.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAudit } from "../../../agent/audit_log.ts";
import { createControlApp } from "../../../agent/control/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { TALLY_ADDRESSES_MAX, TALLY_MS } from "../../../agent/stranger_tally.ts";
import { currentRuntime } from "../../../transport/runtime/mod.ts";
import { HandClock } from "../transport/flow/hand_clock.ts";
import { FakeDaemon } from "./control/fake_daemon.ts";

const { files } = await currentRuntime();
const TOKEN = "0123456789abcdef";
let directory = "";
let path = "";
let troubles: string[] = [];
let clock: MinuteClock;
let ended: AbortController;

/** Stands still; its minutes end when the test says so. */
class MinuteClock extends HandClock {
  override wallMs(): number {
    return Date.UTC(2026, 0, 1);
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "audit-"));
  path = join(directory, "audit.jsonl");
  troubles = [];
  clock = new MinuteClock();
  ended = new AbortController();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function audit(fileBytes = 4096) {
  const { signal } = ended;
  const onTrouble = (text: string) => troubles.push(text);
  return openAudit(path, { files, clock, signal, fileBytes, onTrouble });
}

function lines(file = path) {
  return readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
}

describe("openAudit()", () => {
  test("appends what was there before, and cuts long texts", () => {
    audit()({ who: { by: "peer", name: "web01" }, action: "file job", result: "admitted" });
    audit()({ who: { by: "peer" }, action: "connect", result: "x".repeat(9999) });
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

  test("strangers displace nothing of known people, however many they are", () => {
    const log = audit(1000);
    log({ who: { by: "token", address: "10.0.0.1" }, action: "POST /v1/jobs", result: "202" });
    for (let number = 0; number < 1000; number++) {
      const who = { by: "nobody", address: `10.0.${number >> 8}.${number & 255}` };
      log({ who, action: "POST /x", result: "401" });
    }
    expect(lines().map(({ action }) => action)).toEqual(["POST /v1/jobs"]);
    expect(existsSync(`${path}.strangers.4`)).toBe(true);
  });

  test("a stranger who tries again has two lines a minute: the first, and how many more", async () => {
    const log = audit();
    const tries = (address: string, count: number) => {
      for (let number = 0; number < count; number++) {
        log({ who: { by: "stranger", address }, action: "connect", result: `refused ${number}` });
      }
    };
    const seen = () =>
      lines(`${path}.strangers`).map(({ who, result, details }) =>
        [who.address, result, details?.more ?? ""].join(" ").trim()
      );
    tries("10.0.0.1", 140_000);
    tries("10.0.0.2", 1);
    expect(seen()).toEqual(["10.0.0.1 refused 0", "10.0.0.2 refused 0"]);
    await clock.ring(TALLY_MS);
    await clock.yield();
    tries("10.0.0.1", 3);
    ended.abort();
    await clock.yield();
    await clock.yield();
    expect(seen().slice(2)).toEqual([
      "10.0.0.1 refused 0 139999",
      "10.0.0.1 refused 0",
      "10.0.0.1 refused 0 2",
    ]);
  });

  test("beyond a number of addresses in a minute strangers share a line", async () => {
    const log = audit(1 << 20);
    for (let number = 0; number < 3 * TALLY_ADDRESSES_MAX; number++) {
      const who = { by: "nobody", address: `10.0.0.${number}` };
      log({ who, action: "POST /x", result: "401" });
    }
    await clock.ring(TALLY_MS);
    await clock.yield();
    const seen = lines(`${path}.strangers`);
    expect(seen.length).toBe(TALLY_ADDRESSES_MAX + 2);
    expect(seen.at(-1).who.address).toBe("others");
    expect(seen.at(-1).details.more).toBe(String(2 * TALLY_ADDRESSES_MAX - 1));
  });

  test("has what a job was asked for also when it was refused", async () => {
    const daemon = new FakeDaemon();
    daemon.startJob = () => {
      throw new AgentError("auth", "Cannot restore");
    };
    const app = createControlApp(daemon, { clock, access: null, audit: audit() });
    const restore = { kind: "restore-filesystem", backup: "latest", target: "/r" };
    for (const body of [JSON.stringify(restore), "{"]) {
      const headers = { "content-type": "application/json" };
      await app.request("http://h/v1/jobs", { method: "POST", headers, body });
    }
    expect(lines().map(({ result, details }) => [result, details])).toEqual([
      ["401", restore],
      ["400", {}],
    ]);
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
    ended.abort();
    await clock.yield();
    await clock.yield();
    const strangers = `${path}.strangers`;
    const seen = (file: string) =>
      lines(file).map(({ who, action, result }) => [who.by, action, result]);
    expect(seen(path)).toEqual([
      ["token", "POST /v1/session", "204"],
      ["token", "POST /v1/jobs", "202"],
    ]);
    expect(seen(strangers)[0]).toEqual(["nobody", "POST /v1/session", "401"]);
    expect(lines(strangers)[1].details.more).toBe("1");
    expect(lines()[1].details).toMatchObject({ kind: "restore-filesystem", target: "/r" });
    const text = readFileSync(path, "utf8") + readFileSync(strangers, "utf8");
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain("wrong-secret");
  });
});
