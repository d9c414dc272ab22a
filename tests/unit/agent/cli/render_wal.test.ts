// What people read of archived logs.

import { describe, expect, test } from "bun:test";
import { walExpiryLines } from "../../../../agent/cli/render_expiry.ts";
import { renderWalArchives, renderWalStatus } from "../../../../agent/cli/render_wal.ts";
import type { Paint } from "../../../../agent/cli/output.ts";
import type { WalArchiveView } from "../../../../agent/control/mod.ts";

const plain: Paint["bold"] = (text) => String(text);
const PAINT: Paint = {
  bold: plain,
  dim: plain,
  green: plain,
  yellow: plain,
  red: plain,
  cyan: plain,
};

const OWNER = { client: "web01", database: "pg", system: "7412345678901234567" };

const ARCHIVE: WalArchiveView = {
  type: "archive",
  ...OWNER,
  files: 5,
  bytes: 5 * 1024 * 1024,
  timelines: [{
    timeline: 1,
    segments: 4,
    ranges: [
      { first: "000000010000000000000001", last: "000000010000000000000001", segments: 1 },
      { first: "000000010000000000000003", last: "000000010000000000000005", segments: 3 },
    ],
    gaps: 2,
  }],
  backups: [{
    backup: "b1",
    timeline: 1,
    reaches: [
      { timeline: 1, endLsn: "0/6000000", missing: null },
      { timeline: 2, endLsn: "0/5000000", missing: "000000020000000000000005" },
    ],
  }],
  findings: ["backup b1 can be recovered up to 0/5000000 only"],
};

describe("renderWalArchives()", () => {
  test("shows ranges, how far each backup goes, and faults", () => {
    expect(renderWalArchives([ARCHIVE], PAINT)).toBe(
      `web01/pg cluster 7412345678901234567: 5 files, 5.00 MiB
  timeline 1: 4 segments, 2 gaps
    000000010000000000000001 to 000000010000000000000001 (1)
    000000010000000000000003 to 000000010000000000000005 (3)
    and 1 more
  backup b1: up to 0/6000000 on timeline 1
  backup b1: up to 0/5000000 on timeline 2, 000000020000000000000005 is missing
  fault: backup b1 can be recovered up to 0/5000000 only
`,
    );
  });
});

describe("renderWalStatus()", () => {
  test("shows a line for each log, and nothing without one", () => {
    expect(renderWalStatus([])).toBe("");
    const text = renderWalStatus([{
      ...OWNER,
      files: 3,
      bytes: 4096,
      first: "000000010000000000000001",
      last: "000000010000000000000003",
      newest: "2026-01-01T00:00:00.000Z",
      newestAgeSeconds: 42,
    }]);
    expect(text).toContain("web01/pg");
    expect(text).toContain("000000010000000000000003");
    expect(text).toContain("42");
  });
});

describe("walExpiryLines()", () => {
  test("says what goes of each log and why the rest stays", () => {
    const archives = [
      { ...OWNER, files: 2, bytes: 2048, why: "b2 needs 000000010000000000000006" },
      { ...OWNER, database: "old", files: 0, bytes: 0, why: "no kept backup of this cluster" },
    ];
    expect(walExpiryLines({ files: 2, bytes: 2048, archives })).toEqual([
      "  log of web01/pg: 2 files, 2.00 KiB freed; b2 needs 000000010000000000000006",
      "  log of web01/old: nothing freed; no kept backup of this cluster",
    ]);
    expect(walExpiryLines(undefined)).toEqual([]);
  });
});
