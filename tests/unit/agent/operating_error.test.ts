// Failed system calls that nobody met closer: a trouble of the machine, never an internal error.

import { describe, expect, test } from "bun:test";
import { operatingError } from "../../../agent/operating_error.ts";
import { AgentError } from "../../../transport/ground/mod.ts";
import { SystemError } from "../../../transport/runtime/mod.ts";

describe("operatingError()", () => {
  test("tells what was done, what was found and what helps", () => {
    const cases = [
      ["ENOSPC", "no_space", "Free space on the file system, then try again."],
      ["EACCES", "failed", "Give the user that runs the agent access to it."],
      ["EIO", "failed", "Look at the disk and at the kernel's log."],
    ] as const;
    for (const [errno, code, hint] of cases) {
      const error = operatingError(new SystemError(errno, "open", "/x"), 'finish job "j"');
      expect(error).toMatchObject({ code, hint });
      expect(String(error)).toContain(`Cannot finish job "j": found open /x: ${errno}, need`);
    }
  });

  test("passes anything else", () => {
    for (const thrown of [new AgentError("busy", "Cannot"), new Error("bug"), 5, undefined]) {
      expect(operatingError(thrown, "do it")).toBe(thrown);
    }
  });
});
