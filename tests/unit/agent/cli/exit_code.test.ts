// The exit codes of the contract.

import { describe, expect, test } from "bun:test";
import { exitCodeOfError, exitCodeOfJob } from "../../../../agent/exit_code.ts";

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
