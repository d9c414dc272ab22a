// The exit codes of the contract.

import { describe, expect, test } from "bun:test";
import { exitCodeOf, exitCodeOfError, exitCodeOfJob } from "../../../../agent/exit_code.ts";

describe("exitCodeOfError", () => {
  const cases = [
    ["failed", 1],
    ["usage", 2],
    ["not_found", 10],
    ["busy", 11],
    ["auth", 12],
    ["damaged", 13],
    ["no_space", 14],
    ["unreachable", 15],
    ["refused", 15],
    ["internal", 70],
    ["cancelled", 130],
  ] as const;
  for (const [code, exit] of cases) {
    test(`gives ${exit} for ${code}`, () => {
      expect(exitCodeOfError(code)).toBe(exit);
    });
  }
});

test("exitCodeOfJob() goes by how the job ended, then by the signal", () => {
  const failed = { state: "failed", status: "failed", error: null } as const;
  expect(exitCodeOfJob({ state: "ok", status: "ok", error: null }, "SIGINT")).toBe(0);
  expect(exitCodeOfJob({ state: "incomplete", status: "incomplete", error: null }, null)).toBe(3);
  expect(exitCodeOfJob(failed, null)).toBe(1);
  expect(exitCodeOfJob({ ...failed, error: { code: "no_space" } }, null)).toBe(14);
  expect(exitCodeOfJob({ ...failed, state: "cancelled" }, "SIGINT")).toBe(130);
  expect(exitCodeOfJob({ ...failed, state: "cancelled" }, "SIGTERM")).toBe(143);
  expect(exitCodeOfJob({ ...failed, error: { code: "cancelled" } }, null)).toBe(130);
});

test("exitCodeOf() of wal commands is what PostgreSQL reads", () => {
  const get = ["wal", "get", "000000010000000000000001", "f", "--database", "pg"];
  expect(exitCodeOf(get, "absent")).toBe(1);
  // Anything that is not proved must not look like the end of the log.
  const others = ["failed", "usage", "not_found", "unreachable", "internal", "cancelled"] as const;
  for (const code of others) {
    expect(exitCodeOf(get, code)).toBe(126);
    expect(exitCodeOf(["--control", "unix:x", ...get], code)).toBe(126);
  }
  const push = ["wal", "push", "f"];
  expect(exitCodeOf(push, "unreachable")).toBe(15);
  expect(exitCodeOf(push, "internal")).toBe(70);
  expect(exitCodeOf(push, "cancelled")).toBe(1);
  expect(exitCodeOf(["backup"], "cancelled")).toBe(130);
});
