// The progress line: numbers before bar, and nothing past the terminal's edge.

import { describe, expect, test } from "bun:test";
import { progressBar, progressText } from "../../../../agent/cli/progress_line.ts";
import type { Progress } from "../../../../agent/control/daemon.ts";

const PROGRESS: Progress = {
  type: "progress",
  job: "j1",
  phase: "verifying",
  totalFiles: null,
  seconds: 10,
  channels: { network: { bytes: 0 }, storage: { bytes: 0 } },
  files: 123456,
  bytes: 1_300_000_000,
  totalBytes: 2_600_000_000,
  bytesPerSecond: 123_000_000,
};

describe("progressBar()", () => {
  for (const columns of [80, 100, 200]) {
    test(`keeps all numbers within ${columns} columns`, () => {
      const line = progressBar(PROGRESS, columns);
      expect(line.length).toBeLessThan(columns);
      expect(line).toMatch(/50 %.* left$/);
      expect(line).toContain("▕");
    });
  }

  test("says of a job that waits only that", () => {
    const queued = { ...PROGRESS, phase: "queued", files: 0, bytes: 0, totalBytes: null } as const;
    expect(progressBar(queued, 80).trim()).toMatch(/^queued +waits for its turn$/);
    expect(progressText(queued)).toBe("queued: waits for its turn");
  });

  test("is cut where even the numbers do not fit", () => {
    expect(progressBar(PROGRESS, 20).length).toBe(19);
  });
});
