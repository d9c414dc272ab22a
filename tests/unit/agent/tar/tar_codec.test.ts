// The tar codec against itself: round trips of arbitrary entries, and refusal of bad streams.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Entry, Xattr } from "../../../../agent/entry.ts";
import { encodeMemberHeader, paddingBytes, TarReader } from "../../../../agent/tar/mod.ts";
import type { SparseMap } from "../../../../agent/tar/mod.ts";
import { formatPaxTime, parsePaxTime } from "../../../../agent/tar/pax_records.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

interface Member {
  readonly entry: Entry;
  readonly sparse: SparseMap | null;
  readonly xattrs: readonly Xattr[];
  readonly content: number[];
}

function parse(stream: Uint8Array, stepBytes: number): Member[] {
  const members: Member[] = [];
  let ended = 0;
  const reader = new TarReader({
    member: (entry, extra) => void members.push({ entry, ...extra, content: [] }),
    data: (part) => void members.at(-1)?.content.push(...part),
    end: () => void ended++,
  });
  for (let at = 0; at < stream.length; at += stepBytes) {
    reader.feed(stream.subarray(at, at + stepBytes));
  }
  reader.finish();
  expect(ended).toBe(members.length);
  return members;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const file: Entry = {
  path: bytes("/a/file"),
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  inode: 0n,
  target: null,
  rdev: null,
};

const component = fc.uint8Array({ minLength: 1, maxLength: 255 })
  .map((raw) => raw.map((byte) => byte === 0 || byte === 0x2f || byte === 0x2e ? 0xff : byte));
const path = fc.array(component, { minLength: 1, maxLength: 6 })
  .map((parts) => join(parts.flatMap((part) => [bytes("/"), part])));
const id = fc.integer({ min: 0, max: 0xffff_ffff });
const entry: fc.Arbitrary<Entry> = fc.record({
  path,
  type: fc.constantFrom<Entry["type"]>(
    "file",
    "directory",
    "symlink",
    "hardlink",
    "fifo",
    "character",
    "block",
  ),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: id,
  gid: id,
  sizeBytes: fc.integer({ min: 0, max: 3000 }),
  mtimeNs: fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
  target: path,
  major: fc.integer({ min: 0, max: 4095 }),
  minor: fc.integer({ min: 0, max: 1_048_575 }),
}).map(({ major, minor, ...made }) => ({
  ...made,
  ctimeNs: 0n,
  inode: 0n,
  sizeBytes: made.type === "file" ? made.sizeBytes : 0,
  target: made.type === "symlink" || made.type === "hardlink" ? made.target : null,
  rdev: made.type === "character" || made.type === "block" ? { major, minor } : null,
}));

describe("tar codec", () => {
  test("TarReader gives back every entry that encodeMemberHeader() wrote, at any step", () => {
    const step = fc.integer({ min: 1, max: 2000 });
    fc.assert(fc.property(fc.array(entry, { maxLength: 5 }), step, (entries, stepBytes) => {
      const stream = join(entries.flatMap((made, index) => [
        encodeMemberHeader(made),
        new Uint8Array(made.sizeBytes).fill(index + 1),
        new Uint8Array(paddingBytes(made.sizeBytes)),
      ]));
      const members = parse(stream, stepBytes);
      expect(members.map((member) => member.entry)).toEqual(entries);
      members.forEach((member, index) => {
        expect(member.content.length).toBe(entries[index]?.sizeBytes ?? -1);
        expect(member.content.every((byte) => byte === index + 1)).toBe(true);
      });
    }));
  });

  test("TarReader gives back the sparse map and only the data when a file is sparse", () => {
    const sparse = Array.from({ length: 3000 }, (_, i) => ({ offset: i * 8192, length: 512 }));
    const made = { ...file, sizeBytes: 10_000_000_000 };
    const content = new Uint8Array(3000 * 512).fill(9);
    const stream = join([
      encodeMemberHeader(made, { sparse }),
      content,
    ]);
    const [member] = parse(stream, 700);
    expect(member?.entry).toEqual(made);
    expect(member?.sparse).toEqual(sparse);
    expect(member?.content.length).toBe(content.length);
    expect(member?.content.every((byte) => byte === 9)).toBe(true);
  });

  test("TarReader gives back the extended attributes, whatever their bytes", () => {
    const part = fc.uint8Array({ minLength: 1, maxLength: 30 })
      .map((raw) => raw.map((byte) => byte === 0 ? 0x25 : byte));
    const xattr = fc.record({ name: part, value: fc.uint8Array({ maxLength: 700 }) })
      .map(({ name, value }) => ({ name: join([bytes("user."), name]), value }));
    const many = fc.uniqueArray(xattr, { maxLength: 8, selector: ({ name }) => String(name) });
    const step = fc.integer({ min: 1, max: 2000 });
    fc.assert(fc.property(many, step, (xattrs, stepBytes) => {
      const stream = join([
        encodeMemberHeader({ ...file, type: "directory" }, { xattrs }),
        encodeMemberHeader(file),
      ]);
      const [first, second] = parse(stream, stepBytes);
      expect(first?.xattrs).toEqual(xattrs);
      expect(second?.xattrs).toEqual([]);
    }));
  });

  test('TarReader gives back "=" and "%" in names, 200 large values, and lists as they were', () => {
    const odd = ["user.a=b", "user.%3D", "user.%25=%", "user.=\n \xff"].map((name) => ({
      name: Uint8Array.from(name, (character) => character.charCodeAt(0)),
      value: bytes(name),
    }));
    const large = Array.from({ length: 200 }, (_, index) => ({
      name: bytes(`user.large${index}`),
      value: new Uint8Array(65_536).fill(index),
    }));
    const acl = Uint8Array.fromHex("02000000" + "01000700ffffffff" + "20000000ffffffff");
    const lists = [
      { name: bytes("system.posix_acl_access"), value: acl },
      // No list that has a text: kept as its bytes.
      { name: bytes("system.posix_acl_default"), value: bytes("later version") },
    ];
    const wanted = [...odd, ...large, ...lists];
    const [member] = parse(encodeMemberHeader(file, { xattrs: wanted }), 1_000_000);
    const byName = (all: readonly Xattr[] = []) =>
      all.map(({ name, value }) => `${String(name)} ${value.length} ${value.at(0)}`).sort();
    expect(byName(member?.xattrs)).toEqual(byName(wanted));
  });

  test("encodeMemberHeader() writes attributes byte by byte as GNU tar does", () => {
    const acl = Uint8Array.fromHex(
      "02000000" + "01000600ffffffff" + "0200060064000000" + "04000400ffffffff" +
        "10000600ffffffff" + "20000400ffffffff",
    );
    const xattrs = [
      { name: bytes("user.a=b"), value: bytes("1") },
      { name: bytes("user.p%c"), value: bytes("2") },
      { name: bytes("user.empty"), value: new Uint8Array(0) },
      { name: bytes("system.posix_acl_access"), value: acl },
    ];
    const text = new TextDecoder().decode(encodeMemberHeader(file, { xattrs }).subarray(512, 1024));
    expect(text.replace(/\0+$/, "")).toBe(
      "29 SCHILY.xattr.user.a%3Db=1\n29 SCHILY.xattr.user.p%25c=2\n28 SCHILY.xattr.user.empty=\n" +
        "77 SCHILY.acl.access=user::rw-\nuser:100:rw-\ngroup::r--\nmask::rw-\nother::r--\n\n",
    );
  });

  test("parsePaxTime() gives back the nanoseconds that formatPaxTime() wrote", () => {
    expect(formatPaxTime(-1n)).toBe("-0.000000001");
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n }), (timeNs) => {
      expect(parsePaxTime(bytes(formatPaxTime(timeNs)), "mtime")).toBe(timeNs);
    }));
  });

  test("TarReader takes the names of other programs: ./x, and links that end in a slash", () => {
    const link = { ...file, type: "symlink" as const, target: bytes("t"), sizeBytes: 0 };
    const streams = [
      encodeMemberHeader({ ...file, sizeBytes: 0, path: bytes("/./x/y") }),
      encodeMemberHeader({ ...link, path: bytes("/x/") }),
    ];
    const paths = streams.flatMap((stream) => parse(stream, 512)).map(({ entry }) => entry.path);
    expect(paths).toEqual([bytes("/x/y"), bytes("/x")]);
  });

  test("TarReader throws damaged when a name leaves the tree", () => {
    for (
      const path of ["/../x", "/a/../x", "/a//x", "/.//x", "/a/./x", "/a/..", "/", "/a/", "/a\0b"]
    ) {
      const stream = encodeMemberHeader({ ...file, path: bytes(path) });
      if (path === "/a\0b") continue; // The block's name field ends at a NUL.
      expect(() => parse(stream, 512)).toThrow("Cannot read tar header");
    }
    const long = `/${"b".repeat(150)}\0c`;
    expect(() => parse(encodeMemberHeader({ ...file, path: bytes(long) }), 512)).toThrow("no NUL");
    const link = { ...file, type: "hardlink" as const, target: bytes("/../../etc/passwd") };
    expect(() => parse(encodeMemberHeader(link), 512)).toThrow("Cannot read tar header");
  });

  test("TarReader throws damaged when a header's bit is flipped", () => {
    const header = encodeMemberHeader(file);
    fc.assert(fc.property(fc.integer({ min: 0, max: 147 * 8 }), (bit) => {
      const flipped = header.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => parse(flipped, 512)).toThrow("Cannot read tar header");
    }));
  });

  test("TarReader throws damaged when the stream ends inside a member", () => {
    const stream = encodeMemberHeader({ ...file, sizeBytes: 10, mtimeNs: 1n });
    for (const length of [1, 511, 512, 700, 1024, stream.length]) {
      expect(() => parse(stream.subarray(0, length), 512)).toThrow("inside a member");
    }
  });

  test("abandon() forgets a member wherever its bytes stop", () => {
    const long = { ...file, path: bytes(`/${"x".repeat(300)}`), sizeBytes: 700 };
    const sparse = [{ offset: 4096, length: 700 }];
    const members = [
      encodeMemberHeader(long),
      encodeMemberHeader({ ...file, sizeBytes: 9000 }, { sparse }),
    ];
    const after = encodeMemberHeader({ ...file, path: bytes("/after") });
    for (const header of members) {
      const whole = join([header, new Uint8Array(1024)]);
      for (let stop = 0; stop < whole.length; stop += 64) {
        const found: Entry[] = [];
        const reader = new TarReader({
          member: (entry) => void found.push(entry),
          data: () => {},
          end: () => {},
        });
        reader.feed(whole.subarray(0, stop));
        reader.abandon();
        reader.feed(after);
        reader.finish();
        expect(found.at(-1)).toEqual({ ...file, path: bytes("/after") });
      }
    }
  });

  test("TarReader never fails with anything but damaged when the bytes are random", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 512, maxLength: 2048 }), (random) => {
      expect(() => parse(random, 512)).toThrow("Cannot read");
    }));
  });
});
