// Lines for the journal: only where standard error is the stream that JOURNAL_STREAM names.

import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { journalLines, writesToJournal } from "../../../../agent/journal.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { files, process: own } = await currentRuntime();

describe("journal", () => {
  test("journalLines() marks each line that has something in it", () => {
    expect(journalLines(3, "agent: no\nhint: yes\n")).toBe("<3>agent: no\n<3>hint: yes\n");
  });

  test("writesToJournal() compares device and inode of standard error", () => {
    const { dev, ino } = statSync("/proc/self/fd/2", { bigint: true });
    const asked = (stream: string | undefined) =>
      writesToJournal({ files, process: { ...own, env: () => stream } });
    expect(asked(`${dev}:${ino}`)).toBe(true);
    expect(asked(`${dev}:${ino + 1n}`)).toBe(false);
    expect(asked(undefined)).toBe(false);
  });
});
