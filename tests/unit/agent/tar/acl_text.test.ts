// Access control lists between the kernel's form and GNU tar's text.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeAclText, encodeAclText } from "../../../../agent/tar/acl_text.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (raw: Uint8Array | null) => raw === null ? null : new TextDecoder().decode(raw);

/** A whole list: every tag, the largest id. */
const BINARY = Uint8Array.fromHex(
  "02000000" + "01000700ffffffff" + "02000600e8030000" + "02000000feffffff" +
    "04000500ffffffff" + "0800040032000000" + "10000700ffffffff" + "20000100ffffffff",
);
const TEXT =
  "user::rwx\nuser:1000:rw-\nuser:4294967294:---\ngroup::r-x\ngroup:50:r--\nmask::rwx\n" +
  "other::--x\n";

describe("access control list", () => {
  test("encodeAclText() writes GNU tar's lines with numbers for users and groups", () => {
    expect(textOf(encodeAclText(BINARY))).toBe(TEXT);
  });

  test("decodeAclText() gives back the binary, for star's commas too", () => {
    expect(decodeAclText(bytes(TEXT))).toEqual(BINARY);
    expect(decodeAclText(bytes(TEXT.trimEnd().replaceAll("\n", ",")))).toEqual(BINARY);
  });

  test("decodeAclText(encodeAclText()) is the same for every list", () => {
    const entry = fc.record({
      tag: fc.constantFrom(1, 2, 4, 8, 16, 32),
      bits: fc.integer({ min: 0, max: 7 }),
      id: fc.integer({ min: 0, max: 0xffff_fffe }),
    });
    fc.assert(fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), (entries) => {
      const binary = new Uint8Array(4 + 8 * entries.length);
      const view = new DataView(binary.buffer);
      view.setUint32(0, 2, true);
      entries.forEach(({ tag, bits, id }, index) => {
        view.setUint16(4 + 8 * index, tag, true);
        view.setUint16(6 + 8 * index, bits, true);
        view.setUint32(8 + 8 * index, tag === 2 || tag === 8 ? id : 0xffff_ffff, true);
      });
      expect(decodeAclText(encodeAclText(binary) ?? new Uint8Array(0))).toEqual(binary);
    }));
  });

  test("encodeAclText() gives null when the bytes have no text", () => {
    const changed = (at: number, value: number) => BINARY.with(at, value);
    const bad = [changed(0, 3), changed(4, 3), changed(6, 8), changed(8, 0), changed(12, 1)];
    for (const binary of [...bad, new Uint8Array(0), BINARY.subarray(0, 4), BINARY.subarray(1)]) {
      expect(encodeAclText(binary)).toBe(null);
    }
    // A named entry without a number.
    expect(encodeAclText(BINARY.fill(0xff, 16, 20))).toBe(null);
  });

  test("decodeAclText() throws damaged for anything else", () => {
    const bad = ["", "\n", "user:daemon:rw-", "mask:1:rwx", "user::rwxr", "user::wr-", "x::rwx"];
    for (const text of [...bad, "user:4294967295:rwx", "group:-1:r--", "user::rwx #effective"]) {
      expect(() => decodeAclText(bytes(text))).toThrow("Cannot read access control list");
    }
  });
});
