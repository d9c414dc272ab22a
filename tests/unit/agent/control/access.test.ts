// Who may use the endpoint over TCP: tokens, sessions of browsers, Host and Origin, guesses.

import { describe, expect, test } from "bun:test";
import { hostsOf } from "../../../../agent/control/mod.ts";
import {
  FAILURE_REFILL_MS,
  FAILURES_MAX,
  MAX_TOKEN_BYTES,
  SESSION_MS,
  SESSIONS_MAX,
} from "../../../../agent/control/limits.ts";
import { DocumentedApp } from "./documented_app.ts";
import { FakeDaemon } from "./fake_daemon.ts";

const TOKEN = "0123456789abcdef";
const HOST = "127.0.0.1:7440";
const BEARER = { authorization: `Bearer ${TOKEN}` };
const ORIGIN = { origin: `http://${HOST}` };
const never = new Promise<void>(() => {});

function bed() {
  const time = { nowMs: 0 };
  let drawn = 0;
  const clock = { monotonicMs: () => time.nowMs, sleep: () => never };
  const random = { bytes: (count: number) => new Uint8Array(count).fill(++drawn) };
  const access = { token: TOKEN, hosts: hostsOf("127.0.0.1", 7440), clock, random };
  const daemon = new FakeDaemon();
  const app = new DocumentedApp(daemon, { clock, access });
  const request = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    app.request(`http://${HOST}${path}`, { ...init, headers: { host: HOST, ...headers } });
  const logIn = (token: string, headers: Record<string, string> = ORIGIN) =>
    request("/v1/session", { "content-type": "application/json", ...headers }, {
      method: "POST",
      body: JSON.stringify({ token }),
    });
  const cookieOf = (answer: Response) =>
    (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return { time, daemon, request, logIn, cookieOf };
}

describe("AccessGuard over TCP", () => {
  const cases: readonly (readonly [string, string, Record<string, string>, number])[] = [
    ["no token", "/v1/status", {}, 401],
    ["a wrong token", "/v1/status", { authorization: "Bearer x" }, 401],
    ["the token", "/v1/status", BEARER, 200],
    ["a probe without token", "/healthz", {}, 200],
    ["the page, which has no data", "/", {}, 200],
    ["metrics without token", "/metrics", {}, 401],
    ["the description without token", "/openapi.json", {}, 401],
    ["a foreign Host", "/healthz", { host: "evil.example" }, 401],
    ["a foreign Origin", "/v1/status", { ...BEARER, origin: "http://evil.example" }, 401],
    ["an invented session", "/v1/status", { cookie: "agent_session=00" }, 401],
  ];
  for (const [what, path, headers, status] of cases) {
    test(`answers ${status} to ${what}`, async () => {
      expect((await bed().request(path, headers)).status).toBe(status);
    });
  }

  test("a login gives a cookie without the token in it, which then stands for it", async () => {
    const { request, logIn, cookieOf } = bed();
    const answer = await logIn(TOKEN);
    expect(answer.status).toBe(204);
    const set = answer.headers.get("set-cookie") ?? "";
    expect(set).toMatch(/; HttpOnly(;|$)/);
    expect(set).toMatch(/; SameSite=Strict(;|$)/);
    expect(set).toMatch(/; Max-Age=28800(;|$)/);
    expect(set).not.toContain(TOKEN);
    expect((await request("/v1/status", { cookie: cookieOf(answer) })).status).toBe(200);
  });

  test("a session changes nothing for a page of another origin, or of none", async () => {
    const { daemon, request, logIn, cookieOf } = bed();
    const cookie = cookieOf(await logIn(TOKEN));
    const post = (headers: Record<string, string>) =>
      request("/v1/jobs", { cookie, "content-type": "application/json", ...headers }, {
        method: "POST",
        body: JSON.stringify({ kind: "verify" }),
      });
    expect((await post({})).status).toBe(401);
    expect((await post({ origin: "http://evil.example" })).status).toBe(401);
    expect((await post({ origin: "null" })).status).toBe(401);
    expect(daemon.requests.length).toBe(0);
    expect((await post(ORIGIN)).status).toBe(202);
  });

  test("a session ends with its time, with a logout, and as the oldest of many", async () => {
    const { time, request, logIn, cookieOf } = bed();
    const status = async (cookie: string) => (await request("/v1/status", { cookie })).status;
    const first = cookieOf(await logIn(TOKEN));
    time.nowMs = SESSION_MS - 1;
    expect(await status(first)).toBe(200);
    time.nowMs = SESSION_MS;
    expect(await status(first)).toBe(401);
    const second = cookieOf(await logIn(TOKEN));
    await request("/v1/session", { cookie: second, ...ORIGIN }, { method: "DELETE" });
    expect(await status(second)).toBe(401);
    const third = cookieOf(await logIn(TOKEN));
    for (let more = 1; more < SESSIONS_MAX; more++) await logIn(TOKEN);
    expect(await status(third)).toBe(200);
    await logIn(TOKEN);
    expect(await status(third)).toBe(401);
  });

  test("after some wrong tokens even the right one has to wait", async () => {
    const { time, request, logIn } = bed();
    for (let wrong = 0; wrong < FAILURES_MAX - 1; wrong++) {
      expect((await logIn("wrong")).status).toBe(401);
    }
    expect((await request("/v1/status", { authorization: "Bearer wrong" })).status).toBe(401);
    const refused = await logIn(TOKEN);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("10");
    expect((await request("/v1/status", BEARER)).status).toBe(429);
    time.nowMs += FAILURE_REFILL_MS + 1;
    expect((await logIn(TOKEN)).status).toBe(204);
  });

  test("a login is short: what is longer than 4 KiB is not read", async () => {
    const { logIn, request } = bed();
    expect((await logIn("x".repeat(MAX_TOKEN_BYTES))).status).toBe(401);
    expect((await logIn('"'.repeat(MAX_TOKEN_BYTES))).status).toBe(401);
    expect((await logIn("x".repeat(4096))).status).toBe(400);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writing = writable.getWriter().write(new Uint8Array(4097)).catch(() => {});
    const endless = { method: "POST", body: readable, duplex: "half" } as RequestInit;
    expect((await request("/v1/session", ORIGIN, endless)).status).toBe(400);
    await writing;
  });

  test("requests to change something without a token count as wrong ones", async () => {
    const { daemon, request, logIn } = bed();
    const post = () => request("/v1/jobs", {}, { method: "POST", body: "{}" });
    for (let look = 0; look < 2 * FAILURES_MAX; look++) {
      expect((await request("/v1/status")).status).toBe(401);
    }
    for (let wrong = 0; wrong < FAILURES_MAX; wrong++) expect((await post()).status).toBe(401);
    expect((await post()).status).toBe(429);
    expect((await logIn(TOKEN)).status).toBe(429);
    expect(daemon.requests.length).toBe(0);
  });

  test("the wait after some wrong tokens holds while the time moves by fractions", async () => {
    const { time, logIn } = bed();
    const attempt = async (token: string) => {
      time.nowMs += 0.3;
      return (await logIn(token)).status;
    };
    for (let wrong = 0; wrong < FAILURES_MAX; wrong++) expect(await attempt("wrong")).toBe(401);
    for (let more = 0; more < 20; more++) expect(await attempt("wrong")).toBe(429);
    expect(await attempt(TOKEN)).toBe(429);
    time.nowMs += FAILURE_REFILL_MS;
    expect([await attempt("wrong"), await attempt(TOKEN)]).toEqual([401, 429]);
  });

  test("every answer forbids what a page of ours does not need", async () => {
    const { request } = bed();
    for (const path of ["/", "/v1/status", "/nowhere"]) {
      const { headers } = await request(path);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});
