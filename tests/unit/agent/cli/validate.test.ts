// `agent validate`: what it prints for people and machines, and which exit code says what.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { VALIDATION } from "../control/fake_daemon.ts";
import { CliBed } from "./cli_bed.ts";

let bed: CliBed;

beforeEach(async () => {
  bed = await CliBed.open();
});

afterEach(() => bed.close());

const [NETWORK, STORAGE] = VALIDATION.channels;

function failing(channel: "network" | "storage", reason: string) {
  const channels = VALIDATION.channels.map((one) =>
    one.channel === channel ? { ...one, usable: false, reason, detail: "found this" } : one
  );
  return { ...VALIDATION, ok: false, channels };
}

describe("agent validate", () => {
  test("prints one object for each channel and a summary with --json", async () => {
    const { code, stdout } = await bed.run("validate", "web01", "--json");
    expect(code).toBe(0);
    expect(stdout.trim().split("\n").map((line) => JSON.parse(line))).toEqual([
      { type: "channel", client: "web01", ...NETWORK },
      { type: "channel", client: "web01", ...STORAGE },
      {
        type: "summary",
        client: "web01",
        policy: "prefer-storage",
        version: "1.2.3",
        clientVersion: "1.2.3",
        clockAheadMs: 0,
        seconds: 0.4,
        status: "ok",
      },
    ]);
  });

  test("prints YES or NO for people, and why", async () => {
    bed.daemon.validation = failing("storage", "proof_failed");
    const { code, stdout } = await bed.run("validate", "web01");
    expect(code).toBe(1);
    expect(stdout).toMatch(/network +- +YES +2 connections/);
    expect(stdout).toMatch(/storage +stg0 +NO +proof_failed: found this/);
    expect(stdout).toContain("failed: client web01, prefer-storage, not all that it needs works");
  });

  for (const [reason, exit] of [["refused", 15], ["timeout", 15], ["auth", 1]] as const) {
    test(`ends with ${exit} when the network fails with ${reason}`, async () => {
      bed.daemon.validation = failing("network", reason);
      expect((await bed.run("validate", "web01")).code).toBe(exit);
    });
  }

  test("needs a client, and a known one", async () => {
    expect((await bed.run("validate")).code).toBe(2);
    expect((await bed.run("validate", "db01")).code).toBe(10);
  });
});
