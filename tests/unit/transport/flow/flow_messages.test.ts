// The messages of the flows: examples, round trips, and garbage, which must become an AgentError.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeHello,
  decodeLength,
  decodePort,
  decodePortMessage,
  decodeStgMessage,
  decodeTag,
  decodeU32,
  encodeDocument,
  encodeTag,
  encodeU32,
  encodeZeros,
  type Hello,
  isZeros,
} from "../../../../transport/flow/flow_messages.ts";
import {
  MESSAGE_BYTES_MAX,
  NAME_LENGTH_MAX,
  REASON_LENGTH_MAX,
  ZEROS_BYTES,
} from "../../../../transport/flow/limits.ts";
import {
  negotiateVersion,
  VERSION_MAX,
  VERSION_MIN,
} from "../../../../transport/flow/flow_version.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { failure } from "../connect/failure.ts";

const HELLO: Hello = {
  type: "hello",
  versionMin: 1,
  versionMax: 3,
  connection: 1,
  job: "job1",
  token: "0123456789abcdef".repeat(2),
  name: "web01",
  connections: 2,
};
const STG = {
  type: "stg",
  name: "stg0",
  uuid: "u",
  volumeUuids: ["a", "b"],
  job: "job1",
  token: HELLO.token,
  encryption: "must",
} as const;
const SECRET = "0123456789abcdef".repeat(8);
const PORT = { type: "port", host: 2, port: 49152, token: HELLO.token, secret: SECRET } as const;

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const DECODERS = [decodeHello, decodeStgMessage, decodePortMessage] as const;

/** True when a decoder gives a value or an AgentError; anything else it throws goes on. */
function survives(decode: (body: Uint8Array) => unknown, body: Uint8Array): boolean {
  try {
    decode(body);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.code === "reset";
  }
  return true;
}

describe("flow integers", () => {
  test("u32 round-trips little-endian", () => {
    expect([...encodeU32(0x01020304)]).toEqual([4, 3, 2, 1]);
    fc.assert(fc.property(fc.nat(0xffff_ffff), (value) => decodeU32(encodeU32(value)) === value));
  });

  test("a descriptor never looks like the zeros in its first four bytes", () => {
    expect(encodeZeros()).toEqual(new Uint8Array(ZEROS_BYTES));
    const descriptors = fc.integer({ min: 1, max: 0xffff_ffff });
    fc.assert(fc.property(descriptors, (value) => !isZeros(encodeU32(value))));
  });

  test("decodeTag() knows three tags, with their numbers on the wire", () => {
    for (const [tag, value] of [["AF_STP", 1], ["AF_INET", 2], ["refused", 3]] as const) {
      expect(decodeU32(encodeTag(tag))).toBe(value);
      expect(decodeTag(encodeU32(value))).toBe(tag);
    }
    const others = fc.nat(0xffff_ffff).filter((value) => value < 1 || value > 3);
    fc.assert(fc.property(others, (value) => {
      expect(() => decodeTag(encodeU32(value))).toThrow(`a mechanism tag of ${value}`);
    }));
  });

  test("decodePort() takes 1 to 65535, decodeLength() 1 to MESSAGE_BYTES_MAX", () => {
    fc.assert(fc.property(fc.nat(0xffff_ffff), (value) => {
      const port = value >= 1 && value <= 65535;
      const length = value >= 1 && value <= MESSAGE_BYTES_MAX;
      expect(survives(decodePort, encodeU32(value))).toBe(true);
      if (port) expect(decodePort(encodeU32(value))).toBe(value);
      else expect(() => decodePort(encodeU32(value))).toThrow("need 1 to 65535");
      if (length) expect(decodeLength(encodeU32(value))).toBe(value);
      else expect(() => decodeLength(encodeU32(value))).toThrow(`1 to ${MESSAGE_BYTES_MAX}`);
    }));
    for (const [value, ok] of [[0, false], [1, true], [65535, true], [65536, false]] as const) {
      const decode = () => decodePort(encodeU32(value));
      if (ok) expect(decode()).toBe(value);
      else expect(decode).toThrow("port");
    }
    expect(decodeLength(encodeU32(MESSAGE_BYTES_MAX))).toBe(MESSAGE_BYTES_MAX);
    expect(() => decodeLength(encodeU32(MESSAGE_BYTES_MAX + 1))).toThrow("a message of");
  });
});

describe("flow documents", () => {
  test("round-trip, the length first", () => {
    const cases = [[decodeHello, HELLO], [decodeStgMessage, STG], [
      decodePortMessage,
      PORT,
    ]] as const;
    for (const [decode, document] of cases) {
      const [length, body] = encodeDocument(document);
      expect(decodeLength(length ?? new Uint8Array(4))).toBe(body?.length ?? 0);
      expect(decode(body ?? new Uint8Array())).toEqual(document);
    }
    const reason = "x".repeat(REASON_LENGTH_MAX + 9);
    const none = encodeDocument({ type: "no-port", code: "no_endpoint", reason })[1];
    expect(decodePortMessage(none ?? new Uint8Array())).toEqual({
      type: "no-port",
      code: "no_endpoint",
      reason: "x".repeat(REASON_LENGTH_MAX),
    });
  });

  test("every key is checked", () => {
    const wrong: [unknown, string][] = [
      [{ ...HELLO, type: "stg" }, '"stg"'],
      [{ ...HELLO, versionMin: 0 }, "versionMin"],
      [{ ...HELLO, versionMax: 1.5 }, "versionMax"],
      [{ ...HELLO, versionMax: 65536 }, "versionMax"],
      [{ ...HELLO, job: "" }, "job"],
      [{ ...HELLO, job: "j".repeat(NAME_LENGTH_MAX + 1) }, "job"],
      ...["../up", "a/b", ".hidden", "a b", "a\n", "é", "-x"].map((job): [unknown, string] => [
        { ...HELLO, job },
        "job",
      ]),
      [{ ...HELLO, name: "web01/.." }, "name"],
      [{ ...HELLO, name: 5 }, "name"],
      [{ ...HELLO, connections: 3 }, "connections"],
      [{ ...HELLO, connections: "1" }, "connections"],
      [{ ...HELLO, token: HELLO.token.slice(1) }, "token"],
      [{ ...HELLO, token: `${HELLO.token.slice(1)}G` }, "token"],
      [{ ...HELLO, token: `${HELLO.token}00` }, "token"],
      [{ ...HELLO, type: { toString: 1 } }, "hello"],
    ];
    for (const [value, found] of wrong) expect(() => decodeHello(bytes(value))).toThrow(found);
    expect(() => decodeStgMessage(bytes({ ...STG, volumeUuids: "a" }))).toThrow("uuids");
    expect(() => decodeStgMessage(bytes({ ...STG, volumeUuids: [1] }))).toThrow("uuids");
    expect(() => decodeStgMessage(bytes({ ...STG, encryption: "may" }))).toThrow("encryption");
    expect(() => decodePortMessage(bytes({ ...PORT, secret: HELLO.token }))).toThrow("secret");
    expect(() => decodePortMessage(bytes({ ...PORT, port: 0 }))).toThrow("port");
    expect(() => decodePortMessage(bytes({ ...PORT, host: 0 }))).toThrow("host");
    const none = { type: "no-port", code: null, reason: "x" };
    for (const change of [{ reason: 1 }, { code: "because" }, { code: undefined }]) {
      expect(() => decodePortMessage(bytes({ ...none, ...change }))).toThrow("need");
    }
    expect(() => decodePortMessage(bytes(STG))).toThrow("port");
  });

  test("garbage never becomes anything but an AgentError", () => {
    const fields = fc.constantFrom(...Object.keys({ ...HELLO, ...STG, ...PORT, reason: 1 }));
    const objects = fc.dictionary(fields, fc.jsonValue()).map((object) => bytes(object));
    const mutated = fc.tuple(fc.constantFrom(HELLO, STG, PORT), fields, fc.jsonValue())
      .map(([document, key, value]) => bytes({ ...document, [key]: value }));
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.jsonValue().map(bytes),
      objects,
      mutated,
    );
    fc.assert(fc.property(bodies, (body) => DECODERS.every((decode) => survives(decode, body))));
    const hostile = [
      '{"type":{"toString":1}}',
      "null",
      "[]",
      '"hello"',
      "1e999",
      '{"__proto__":{}}',
    ];
    for (const text of hostile) {
      const body = new TextEncoder().encode(text);
      for (const decode of DECODERS) expect(() => decode(body)).toThrow("the peer sent");
    }
    const deep = new TextEncoder().encode("[".repeat(MESSAGE_BYTES_MAX));
    for (const decode of DECODERS) expect(survives(decode, deep)).toBe(true);
  });
});

describe("negotiateVersion()", () => {
  const peer = (versionMin: number, versionMax: number) => ({ ...HELLO, versionMin, versionMax });

  test("takes the highest common version", () => {
    expect(negotiateVersion(peer(1, 1))).toBe(1);
    expect(negotiateVersion(peer(1, 9))).toBe(VERSION_MAX);
  });

  test("is in both ranges, or a refusal that names both", async () => {
    for (const [min, max] of [[VERSION_MAX + 1, VERSION_MAX + 4], [5, 2], [9, 9]] as const) {
      const error = await failure(() => negotiateVersion(peer(min, max)));
      expect(error.code).toBe("mismatch");
      expect(error.message).toContain(`versions ${min} to ${max}`);
      expect(error.message).toContain(`${VERSION_MIN} to ${VERSION_MAX}`);
    }
    const version = fc.integer({ min: 1, max: 0xffff });
    fc.assert(fc.property(version, version, (min, max) => {
      const common = Math.min(max, VERSION_MAX);
      if (common < Math.max(min, VERSION_MIN)) {
        expect(() => negotiateVersion(peer(min, max))).toThrow("Cannot talk to");
      } else expect(negotiateVersion(peer(min, max))).toBe(common);
    }));
  });
});
