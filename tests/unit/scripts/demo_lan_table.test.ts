// The table of the two-host demo and its verdict: what the LAN carried of jobs that go through the
// LUN.

import { describe, expect, test } from "bun:test";
import type { Summary } from "../../../agent/control/daemon.ts";
import {
  lanProblems,
  type LanRow,
  lanShare,
  lanTable,
  speedOf,
} from "../../../scripts/demonstration/two_hosts/lan_table.ts";

const SUMMARY: Summary = {
  type: "summary",
  job: "j1",
  backup: "b1",
  status: "ok",
  files: 3,
  bytes: 100_000_000,
  seconds: 2,
  channels: { network: { bytes: 5_000 }, storage: { bytes: 100_001_000 } },
  fallback: null,
};

function row(change: Partial<Summary>, lanBytes: number): LanRow {
  return { what: "files", summary: { ...SUMMARY, ...change }, lanBytes };
}

describe("lan table", () => {
  test("lanShare() counts what crossed the LAN for each byte of the source", () => {
    expect(lanShare(row({}, 1_000_000))).toBe(0.01);
    expect(lanShare(row({ bytes: null }, 7))).toBe(7);
    expect(lanShare(row({ bytes: 0 }, 7))).toBe(7);
  });

  test("speedOf() is a number also when the job took no time", () => {
    expect(speedOf(SUMMARY)).toBe(50_000_000);
    expect(speedOf({ ...SUMMARY, seconds: 0 })).toBe(100_000_000_000);
  });

  test("lanTable() has one line for each job, all of one width but for the last column", () => {
    const lost = row({ fallback: "client_volume_failed" }, 60_000_000);
    const lines = lanTable([row({}, 10_000), lost]).split("\n");
    expect(lines.length).toBe(3);
    expect(lines[1]).toContain("0.01 %");
    expect(lines[2]).toMatch(/60\.00 %\s+client_volume_failed$/);
    expect(lines[0]?.indexOf("fallback")).toBe(lines[2]?.indexOf("client_volume_failed"));
  });

  test("lanProblems() names jobs that used the LAN or fell back, and only those", () => {
    expect(lanProblems([row({}, 999_999)])).toEqual([]);
    expect(lanProblems([row({}, 1_000_000)])[0]).toContain("1.00 %");
    const fell = lanProblems([row({ fallback: "connection_lost" }, 0)]);
    expect(fell).toEqual(["the files fell back to the network: connection_lost"]);
  });
});
