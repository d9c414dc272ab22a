// Rules of faults, their file and their plan: what is read, refused, in scope, and repeatable.

import { describe, expect, test } from "bun:test";
import { decodeFaultFile, encodeFaultFile } from "../../../emulator/fault_file.ts";
import { type FaultAccess, FaultPlan } from "../../../emulator/fault_plan.ts";
import { FaultRandom } from "../../../emulator/fault_random.ts";
import {
  type FaultFields,
  faultFields,
  type FaultRule,
  parseFaultRule,
} from "../../../emulator/fault_rule.ts";
import { makeGeometry } from "../../../emulator/geometry.ts";
import { parseLatency, sampleLatency } from "../../../emulator/latency_distribution.ts";
import { RecordHistory } from "../../../emulator/record_history.ts";
import { MAX_STALE_RECORDS } from "../../../emulator/limits.ts";

const TRACK = 65536;
const CYLINDER = 16 * TRACK;
const GEOMETRY = makeGeometry({
  uuid: "00000000-0000-4000-8000-000000000000",
  deviceBytes: [3 * CYLINDER, 4 * CYLINDER],
  boards: 2,
  slotsPerBoard: 4,
  memory: "memory",
});

function rule(fields: FaultFields): FaultRule {
  const parsed = parseFaultRule({ id: 1, ...fields }, GEOMETRY);
  if (!("kind" in parsed)) throw new Error(parsed.join("; "));
  return parsed;
}

function problems(fields: FaultFields): readonly string[] {
  const parsed = parseFaultRule({ id: 1, ...fields }, GEOMETRY);
  return "kind" in parsed ? [] : parsed;
}

function access(
  operation: FaultAccess["operation"],
  device: number,
  offsetBytes: number,
  bytes = 4096,
): FaultAccess {
  const found = GEOMETRY.devices[device];
  if (found === undefined) throw new Error("the geometry has two devices");
  return { operation, device: found, offsetBytes, bytes };
}

function plan(rules: readonly FaultRule[], hostName = "web01", seed = 1): FaultPlan {
  return new FaultPlan(rules, { hostName, boards: GEOMETRY.boards, seed });
}

function fires(fields: FaultFields, at: FaultAccess, hostName?: string): boolean {
  return plan([rule(fields)], hostName).decide(at).length === 1;
}

describe("parseFaultRule()", () => {
  test("reads what the command and the file say, and writes it back", () => {
    const said = {
      id: 7,
      kind: "latency",
      on: "read,destage",
      device: "v1",
      board: 1,
      tracks: "3-9",
      host: "web01",
      probability: 0.25,
      count: 12,
      latency: "uniform:1ms-20ms",
      seed: 5,
    };
    expect(faultFields(rule(said))).toEqual(said);
    const texts = Object.fromEntries(Object.entries(said).map(([key, value]) => [key, `${value}`]));
    expect(rule(texts)).toEqual(rule(said));
    expect(rule({ kind: "lost" })).toMatchObject({ operations: ["write"], probability: 1 });
    expect(rule({ kind: "io-error", tracks: "5" }).tracks).toEqual({ first: 5, last: 5 });
  });

  test("names everything that is wrong at once", () => {
    const found = problems({
      kind: "lost",
      on: "read",
      device: "v9",
      board: 2,
      tracks: "9-3",
      host: "",
      probability: "1.5",
      count: 0,
      latency: "2h",
      seed: -1,
      colour: "red",
    });
    const keys = ["colour", "seed", "on", "device", "board", "tracks", "host", "probability"];
    for (const key of [...keys, "count", "latency"]) {
      expect(found.filter((problem) => problem.startsWith(`${key}: `)).length > 0).toBe(true);
    }
    for (const problem of found) expect(problem).toContain("need ");
  });

  test("asks each kind for what it needs", () => {
    expect(problems({ kind: "explode" })[0]).toContain("device-gone");
    expect(problems({})[0]).toBe(problems({ kind: undefined })[0]);
    expect(problems({ kind: "latency" })[0]).toContain("need it for kind latency");
    expect(problems({ kind: "lost", latency: "5ms" })[0]).toContain("need it only for latency");
    expect(problems({ kind: "device-gone" })[0]).toContain("the one that is gone");
    expect(problems({ kind: "board-gone" })[0]).toContain("the one that is gone");
    expect(problems({ kind: "stale", on: "write" })[0]).toContain("read,stage");
    expect(problems({ kind: "io-error", device: "v0", tracks: "47" })).toEqual([]);
    expect(problems({ kind: "io-error", device: "v0", tracks: "48" })[0]).toContain("0 to 47");
  });
});

describe("faults.json", () => {
  const path = "/array/faults.json";
  const decode = (text: string) => decodeFaultFile(new TextEncoder().encode(text), GEOMETRY, path);

  test("comes back as it was written", () => {
    const rules = [rule({ id: 3, kind: "flip", on: "write" }), rule({ id: 9, kind: "torn" })];
    const file = { next: 10, rules };
    expect(decodeFaultFile(encodeFaultFile(file), GEOMETRY, path)).toEqual(file);
  });

  test("an edited one is refused with all that is wrong", () => {
    expect(() => decode("{")).toThrow(/faults.json.*JSON/);
    expect(() => decode("[]")).toThrow(/object/);
    const wrong = { format: "x", version: 2, next: 1, more: 1, rules: [{ id: 1 }, 5] };
    let message = "";
    try {
      decode(JSON.stringify(wrong));
    } catch (error) {
      message = error instanceof Error ? error.message : "";
    }
    for (const part of ["format:", "version:", "more:", "rules[0].kind", "rules[1].", "next:"]) {
      expect(part === "next:" || message.includes(part)).toBe(true);
    }
    const twice = { kind: "lost", id: 1 };
    const head = { format: "agent-array-faults", version: 1 };
    expect(() => decode(JSON.stringify({ ...head, next: 2, rules: [twice, twice] })))
      .toThrow(/an id of its own/);
    expect(() => decode(JSON.stringify({ ...head, next: 1, rules: [twice] })))
      .toThrow(/more than every id/);
  });
});

describe("FaultPlan", () => {
  test("a rule fires in its scope only", () => {
    const at = access("read", 1, 5 * TRACK);
    expect(fires({ kind: "io-error" }, at)).toBe(true);
    expect(fires({ kind: "io-error", on: "write" }, at)).toBe(false);
    expect(fires({ kind: "io-error", device: "v1" }, at)).toBe(true);
    expect(fires({ kind: "io-error", device: "v0" }, at)).toBe(false);
    expect(fires({ kind: "io-error", host: "web01" }, at, "web01")).toBe(true);
    expect(fires({ kind: "io-error", host: "web01" }, at, "web02")).toBe(false);
    expect(fires({ kind: "io-error", tracks: "5-6" }, at)).toBe(true);
    expect(fires({ kind: "io-error", tracks: "6-9" }, at)).toBe(false);
    expect(fires({ kind: "io-error", tracks: "0-4" }, at)).toBe(false);
    const long = access("read", 1, 0, 10 * TRACK);
    expect(fires({ kind: "io-error", tracks: "9" }, long)).toBe(true);
    expect(fires({ kind: "io-error", tracks: "10" }, long)).toBe(false);
  });

  test("a board's rule fires for the cylinders that lie on it", () => {
    // v1 begins with cylinder 3 of the array, which lies on board 1.
    const board = (number: number) => ({ kind: "board-gone", board: number });
    expect(fires(board(1), access("read", 1, 0))).toBe(true);
    expect(fires(board(0), access("read", 1, 0))).toBe(false);
    expect(fires(board(0), access("read", 1, CYLINDER))).toBe(true);
    expect(fires(board(0), access("read", 1, CYLINDER - 4096, 8192))).toBe(true);
    expect(fires(board(1), access("read", 0, 0, CYLINDER))).toBe(false);
  });

  test("waits, failures, losses and damage come in this order", () => {
    const kinds = ["flip", "torn", "lost", "io-error"].map((kind, index) =>
      rule({ id: index + 1, kind, on: "write" })
    );
    const slow = rule({ id: 9, kind: "latency", latency: "1ms" });
    const fired = plan([...kinds, slow]).decide(access("write", 0, 0));
    expect(fired.map((one) => one.rule.kind)).toEqual([
      "latency",
      "io-error",
      "lost",
      "torn",
      "flip",
    ]);
  });

  test("a seed makes the choices of a rule repeatable, and probability is kept", () => {
    const choices = (fields: FaultFields, seed: number) => {
      const made = plan([rule({ kind: "lost", probability: 0.2, ...fields })], "web01", seed);
      return Array.from({ length: 2000 }, () => made.decide(access("write", 0, 0)).length);
    };
    expect(choices({ seed: 4 }, 1)).toEqual(choices({ seed: 4 }, 2));
    expect(choices({ seed: 4 }, 1)).not.toEqual(choices({ seed: 5 }, 1));
    expect(choices({}, 1)).not.toEqual(choices({}, 2));
    const share = choices({ seed: 4 }, 1).reduce((sum, one) => sum + one, 0) / 2000;
    expect(share).toBeGreaterThan(0.16);
    expect(share).toBeLessThan(0.24);
  });
});

describe("latencies and older records", () => {
  test("parseLatency() takes three shapes within the limit", () => {
    expect(parseLatency("5ms")).toEqual({ shape: "fixed", ms: 5 });
    expect(parseLatency("uniform:500us-1s")).toEqual({ shape: "uniform", fromMs: 0.5, toMs: 1000 });
    expect(parseLatency("exp:10ms")).toEqual({ shape: "exponential", meanMs: 10 });
    for (const text of ["", "5", "2s", "0ms", "uniform:5ms", "uniform:9ms-5ms", "poisson:1ms"]) {
      expect(parseLatency(text)).toBe(null);
    }
  });

  test("sampleLatency() has the mean of its distribution", () => {
    const mean = (text: string) => {
      const latency = parseLatency(text);
      if (latency === null) throw new Error(`${text} is a latency`);
      const random = new FaultRandom(3);
      let sum = 0;
      for (let count = 0; count < 4000; count++) sum += sampleLatency(latency, random);
      return sum / 4000;
    };
    expect(mean("5ms")).toBe(5);
    expect(Math.abs(mean("uniform:10ms-30ms") - 20)).toBeLessThan(1);
    expect(Math.abs(mean("exp:10ms") - 10)).toBeLessThan(1);
  });

  test("RecordHistory returns what was there before, and forgets the oldest records", () => {
    const history = new RecordHistory();
    const content = (byte: number) => new Uint8Array(8).fill(byte);
    expect(history.note("a", content(1))).toBe(null);
    expect(history.note("a", content(1))).toBe(null);
    expect(history.note("a", content(2))).toEqual(content(1));
    expect(history.note("a", content(2))).toEqual(content(1));
    expect(history.note("a", content(3))).toEqual(content(2));
    for (let record = 0; record < MAX_STALE_RECORDS; record++) {
      history.note(`${record}`, content(0));
    }
    expect(history.note("a", content(4))).toBe(null);
  });
});
