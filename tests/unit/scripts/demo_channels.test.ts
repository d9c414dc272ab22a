// The demo's table of channels, and what it refuses: data on the network, and a fallback.

import { describe, expect, test } from "bun:test";
import type { Summary } from "../../../agent/control/daemon.ts";
import {
  channelProblems,
  channelTable,
  networkShare,
} from "../../../scripts/demonstration/channel_table.ts";

function summaryOf(
  network: number,
  storage: number,
  fallback: Summary["fallback"] = null,
): Summary {
  const channels = { network: { bytes: network }, storage: { bytes: storage } };
  return {
    type: "summary",
    job: "j",
    backup: "b",
    status: "ok",
    files: 1234,
    bytes: 2_000_000,
    seconds: 0.5,
    channels,
    fallback,
  };
}

describe("channelProblems()", () => {
  const good = summaryOf(1_999, 98_001);
  test("says nothing when the data went through the storage", () => {
    expect(channelProblems({ file: good, database: summaryOf(65_535, 1_000_000) })).toEqual([]);
  });
  test("says when too much of a file backup crossed the network", () => {
    expect(channelProblems({ file: summaryOf(200_000, 9_800_000), database: good })).toEqual([
      "2.0 % of the file backup crossed the network, need less than 2 %",
    ]);
  });
  test("says nothing when a small directory is less than the set-up", () => {
    expect(channelProblems({ file: summaryOf(7_800, 476), database: good })).toEqual([]);
  });
  test("says when too much of a database backup crossed the network", () => {
    expect(channelProblems({ file: good, database: summaryOf(65_536, 1e9) })).toEqual([
      "65,536 bytes of the database backup crossed the network, need less than 65,536",
    ]);
  });
  test("says when a backup fell back", () => {
    expect(channelProblems({ file: summaryOf(0, 1, "server_stg_down"), database: good })).toEqual([
      "the file backup fell back to the network: server_stg_down",
    ]);
  });
});

describe("channelTable()", () => {
  test("has a line for each job, columns aligned", () => {
    const lines = channelTable([{ what: "file backup", summary: summaryOf(5, 95) }]).split("\n");
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines[1]).toMatch(/^file backup +1,234 +2\.0 +0\.5 +4 +5 +95 +5\.00 %$/);
  });
  test("networkShare() of a job without any bytes is 0", () => {
    expect(networkShare(summaryOf(0, 0))).toBe(0);
  });
});
