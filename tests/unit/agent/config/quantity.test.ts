// Sizes, durations and "did you mean".

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { closestName } from "../../../../agent/config/closest_name.ts";
import {
  formatSeconds,
  formatSize,
  parseDuration,
  parseSample,
  parseSize,
} from "../../../../agent/config/quantity.ts";

describe("parseSize", () => {
  const cases: readonly (readonly [string, number | null])[] = [
    ["64MiB", 64 * 1024 ** 2],
    ["64M", 64 * 1024 ** 2],
    ["64MB", 64 * 1024 ** 2],
    ["1.5GiB", 1.5 * 1024 ** 3],
    ["512", 512],
    ["0", 0],
    ["4 KiB", 4096],
    ["-1", null],
    ["1.3", null],
    ["MiB", null],
    ["12XiB", null],
    ["999999999999999P", null],
    ["", null],
  ];
  for (const [text, bytes] of cases) {
    test(`parseSize() gives ${bytes} for "${text}"`, () => {
      expect(parseSize(text)).toBe(bytes);
    });
  }

  test("parseSize() never throws and gives whole bytes or null", () => {
    fc.assert(fc.property(fc.string(), (text) => {
      const bytes = parseSize(text);
      return bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0);
    }));
  });
});

describe("parseDuration", () => {
  const cases: readonly (readonly [string, number | null])[] = [
    ["5s", 5000],
    ["250ms", 250],
    ["2m", 120_000],
    ["1.5h", 5_400_000],
    ["5", null],
    ["s", null],
    ["-5s", null],
    ["5 weeks", null],
  ];
  for (const [text, ms] of cases) {
    test(`parseDuration() gives ${ms} for "${text}"`, () => {
      expect(parseDuration(text)).toBe(ms);
    });
  }
});

test("parseSample() gives a count or a share, and null for what is neither", () => {
  expect(["500", "5%", "0.5%", "100%"].map(parseSample))
    .toEqual([{ entries: 500 }, { percent: 5 }, { percent: 0.5 }, { percent: 100 }]);
  const none = ["", "0", "1.5", "0%", "100.1%", "-1", "5 %", "1e3", "all"];
  expect(none.map(parseSample)).toEqual(none.map(() => null));
});

test("formatSize() gives three digits and a unit", () => {
  expect([0, 12, 1023, 1024, 1536, 64 * 1024 ** 2, 1023.9 * 1024].map(formatSize)).toEqual([
    "0 B",
    "12 B",
    "1023 B",
    "1.00 KiB",
    "1.50 KiB",
    "64.0 MiB",
    "1.00 MiB",
  ]);
});

test("formatSeconds() grows with the duration", () => {
  expect([0.44, 12, 185, 3723, -1].map(formatSeconds)).toEqual([
    "0.4 s",
    "12 s",
    "3:05",
    "1:02:03",
    "--",
  ]);
});

test("closestName() finds the near name and nothing far", () => {
  const known = ["control", "vault", "stgs", "name"];
  expect(["contorl", "valut", "nmae", "stg", "zzz"].map((typed) => closestName(typed, known)))
    .toEqual(["control", "vault", "name", "stgs", null]);
});
