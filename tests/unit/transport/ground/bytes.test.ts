// hex, equalBytes and the error record: small codecs, by property.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  AgentError,
  decodeHex,
  encodeHex,
  equalBytes,
  fromErrorRecord,
  toErrorRecord,
} from "../../../../transport/ground/mod.ts";

describe("decodeHex()", () => {
  test("is the inverse of encodeHex", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => {
      expect([...decodeHex(encodeHex(bytes))]).toEqual([...bytes]);
    }));
  });

  test("throws damaged when a digit is wrong or missing", () => {
    for (const text of ["0", "0g", "zz", "0x01", " 01"]) {
      expect(() => decodeHex(text)).toThrow(AgentError);
    }
  });
});

describe("equalBytes()", () => {
  test("is true for the same bytes only", () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false);
  });
});

describe("fromErrorRecord()", () => {
  test("gives back code, message and hint", () => {
    const error = new AgentError("busy", "Cannot lock", { hint: "Wait." });
    const again = fromErrorRecord(structuredClone(toErrorRecord(error)));
    expect([again.code, again.message, again.hint]).toEqual(["busy", "Cannot lock", "Wait."]);
    expect(toErrorRecord(new Error("x")).code).toBe("internal");
  });
});
