// A bug of ours in a route of the control endpoint: it is in the log with its stack.

import { expect, test } from "bun:test";
import { createControlApp } from "../../../agent/control/mod.ts";
import { tellRouteBug } from "../../../agent/route_bug.ts";
import { AssertionFailure } from "../../../transport/mod.ts";
import { FakeDaemon } from "./control/fake_daemon.ts";

async function statusThrows(error: Error) {
  const told: string[] = [];
  const onInternalError = tellRouteBug({
    log: (level, message) => told.push(`${level} ${message}`),
    onAssertion: (message) => told.push(`ends the process ${message}`),
  });
  const daemon = new FakeDaemon();
  const clock = { sleep: () => new Promise<void>(() => {}) };
  const app = createControlApp(daemon, { clock, access: null, onInternalError });
  daemon.status = () => {
    throw error;
  };
  const answer = await app.request("/v1/status");
  expect([answer.status, (await answer.json()).code]).toEqual([500, "internal"]);
  expect(told.length).toBe(1);
  return told[0] ?? "";
}

test("tellRouteBug() logs an unexpected error with its stack, and the daemon goes on", async () => {
  const told = await statusThrows(new TypeError("no such field"));
  expect(told).toMatch(/^error .*TypeError: no such field/);
  expect(told).toContain("route_bug.test.ts");
});

test("tellRouteBug() ends the process when an assertion is broken", async () => {
  const told = await statusThrows(new AssertionFailure("two ends"));
  expect(told).toMatch(/^ends the process .*two ends/);
  expect(told).toContain("route_bug.test.ts");
});
