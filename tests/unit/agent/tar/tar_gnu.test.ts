// The tar codec against GNU tar, in both directions.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry, Xattr } from "../../../../agent/entry.ts";
import { encodeMemberHeader, paddingBytes, TarReader } from "../../../../agent/tar/mod.ts";
import type { SparseMap } from "../../../../agent/tar/mod.ts";
import { AT_CWD, currentRuntime } from "../../../../transport/runtime/mod.ts";
import { LARGE_XATTR_BYTES, makeAttributeFolder, PROBE_ACL } from "../../../attribute_folder.ts";

const { files } = await currentRuntime();
const bytes = (text: string) => new TextEncoder().encode(text);
const root = process.getuid?.() === 0;

const plain: Entry = {
  path: bytes("/d/file"),
  type: "file",
  mode: 0o640,
  uid: 0,
  gid: 0,
  sizeBytes: 5,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 0n,
  inode: 0n,
  target: null,
  rdev: null,
};

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "tar-gnu-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function archive(members: readonly [Uint8Array, Uint8Array][]): string {
  const parts = members.flatMap(([header, content]) => [
    header,
    content,
    new Uint8Array(paddingBytes(content.length)),
  ]);
  const file = join(folder, "a.tar");
  writeFileSync(file, Buffer.concat([...parts, new Uint8Array(1024)]));
  return file;
}

function tar(...args: string[]): string {
  return execFileSync("tar", args, { cwd: folder, encoding: "latin1", env: { TZ: "UTC" } });
}

describe("GNU tar", () => {
  test("extracts what encodeMemberHeader() wrote: names, times, links, sparse files", () => {
    const long = `/d/${"x".repeat(120)}/${"y".repeat(200)}`;
    const none = new Uint8Array(0);
    const directory: Entry = { ...plain, path: bytes("/d"), type: "directory", mode: 0o750 };
    const made = archive([
      [encodeMemberHeader({ ...directory, sizeBytes: 0 }), none],
      [encodeMemberHeader(plain), bytes("hello")],
      [encodeMemberHeader({ ...plain, path: bytes(long) }), bytes("12345")],
      [
        encodeMemberHeader({
          ...plain,
          path: bytes("/d/hard"),
          type: "hardlink",
          target: bytes(long),
        }),
        none,
      ],
      [
        encodeMemberHeader({
          ...plain,
          path: bytes("/d/soft"),
          type: "symlink",
          target: bytes("../q"),
        }),
        none,
      ],
      [
        encodeMemberHeader({ ...plain, path: Uint8Array.of(0x2f, 0xff, 0xfe, 0x0a) }),
        bytes("12345"),
      ],
      [
        encodeMemberHeader({ ...plain, path: bytes("/d/holes"), sizeBytes: 1_000_000 }, {
          sparse: [{ offset: 8192, length: 1024 }, { offset: 500_000, length: 2 }],
        }),
        Uint8Array.from([...new Uint8Array(1024).fill(0x41), ...bytes("EF")]),
      ],
      [
        encodeMemberHeader({ ...plain, path: bytes("/old"), mtimeNs: -86_400_000_000_000n }),
        bytes("12345"),
      ],
      [
        encodeMemberHeader({ ...plain, path: bytes("/late"), mtimeNs: 5_000_000_000_000_000_001n }),
        bytes("12345"),
      ],
    ]);
    tar("-xpf", made);
    const file = statSync(join(folder, "d/file"), { bigint: true });
    expect(readFileSync(join(folder, "d/file"), "utf8")).toBe("hello");
    expect(Number(file.mode & 0o7777n)).toBe(0o640);
    expect(statSync(join(folder, long)).ino).toBe(statSync(join(folder, "d/hard")).ino);
    const times = execFileSync("stat", ["-c", "%.9Y", "d/file", "old", "late"], { cwd: folder });
    expect(String(times)).toBe("1700000000.123456789\n-86400.000000000\n5000000000.000000001\n");
    const holes = readFileSync(join(folder, "d/holes"));
    expect(holes.length).toBe(1_000_000);
    expect(holes.subarray(8192, 8192 + 1024).toString()).toBe("A".repeat(1024));
    expect(holes.subarray(500_000, 500_002).toString()).toBe("EF");
    expect(holes.filter((byte) => byte !== 0).length).toBe(1026);
    expect(tar("-tf", made, "--quoting-style=escape")).toContain("\\377\\376\\n");
    expect(tar("-dvf", made)).not.toContain("differ");
  });

  test("lists owners, devices and sizes as encodeMemberHeader() wrote them", () => {
    const headers = [
      encodeMemberHeader({ ...plain, uid: 4_000_000_000, gid: 3_000_000 }),
      bytes("hello"),
      new Uint8Array(507),
      encodeMemberHeader({
        ...plain,
        path: bytes("/dev/thing"),
        type: "block",
        sizeBytes: 0,
        rdev: { major: 259, minor: 1_048_575 },
      }),
    ];
    const file = join(folder, "b.tar");
    writeFileSync(file, Buffer.concat([...headers, new Uint8Array(1024)]));
    const listing = tar("-tvf", file, "--numeric-owner");
    expect(listing).toContain("4000000000/3000000");
    expect(listing).toContain("259,1048575");
    const huge = encodeMemberHeader({ ...plain, sizeBytes: 20_000_000_000_000 });
    writeFileSync(file, huge);
    let shown = "";
    try {
      tar("-tvf", file);
    } catch (error) {
      shown = String((error as { stdout?: unknown }).stdout);
    }
    expect(shown).toContain("20000000000000");
  });

  test("takes extended attributes and access control lists, and gives them back", () => {
    using there = makeAttributeFolder();
    const inside = (...args: string[]) => execFileSync("tar", args, { cwd: there.path });
    const flags = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner"];
    const own = (name: string, value: Uint8Array) => ({ name: bytes(name), value });
    const xattrs = [
      own("user.a=b%25", Uint8Array.of(0, 10, 61, 255)),
      own("user.empty", new Uint8Array(0)),
      own("user.large", new Uint8Array(LARGE_XATTR_BYTES).fill(0x41)),
      own("system.posix_acl_access", PROBE_ACL),
    ];
    const archived = archive([[encodeMemberHeader(plain, { xattrs }), bytes("hello")]]);
    inside("-xpf", archived, ...flags);
    const subject = { directory: AT_CWD, name: join(there.path, "d/file") };
    for (const { name, value } of xattrs) expect(files.xattrs.get(subject, name)).toEqual(value);
    expect(statSync(join(there.path, "d/file")).mode & 0o777).toBe(0o660);
    inside("--format=pax", ...flags, "-cf", join(folder, "d.tar"), "d/file");
    const seen: Xattr[] = [];
    const reader = new TarReader({
      member: (_, extra) => void seen.push(...extra.xattrs),
      data: () => {},
      end: () => {},
    });
    reader.feed(readFileSync(join(folder, "d.tar")));
    reader.finish();
    const sorted = (all: readonly Xattr[]) =>
      all.map(({ name, value }) => `${String(name)} ${String(value)}`).sort();
    expect(sorted(seen)).toEqual(sorted(xattrs));
  });

  test("--format=pax --sparse output is read by TarReader", () => {
    const name = "n".repeat(180);
    writeFileSync(join(folder, name), "content");
    writeFileSync(join(folder, "holes"), "start");
    truncateSync(join(folder, "holes"), 3_000_000);
    execFileSync("sh", [
      "-c",
      'printf end >> holes; ln "$0" hard; ln -s target soft; mkfifo f',
      name,
    ], {
      cwd: folder,
    });
    execFileSync("touch", ["-d", "2050-01-02T03:04:05.123456789Z", name], { cwd: folder });
    if (root) execFileSync("chown", ["3000000:4000000", name], { cwd: folder });
    tar("--format=pax", "--sparse", "-cf", "c.tar", name, "hard", "soft", "holes", "f");
    const seen: { entry: Entry; sparse: SparseMap | null; bytes: number }[] = [];
    const reader = new TarReader({
      member: (entry, { sparse }) => void seen.push({ entry, sparse, bytes: 0 }),
      data: (part) => {
        const last = seen.at(-1);
        if (last) last.bytes += part.length;
      },
      end: () => {},
    });
    reader.feed(readFileSync(join(folder, "c.tar")));
    reader.finish();
    expect(seen.map(({ entry }) => entry.type)).toEqual([
      "file",
      "hardlink",
      "symlink",
      "file",
      "fifo",
    ]);
    const [first, hard, soft, holes] = seen;
    expect(new TextDecoder().decode(first?.entry.path)).toBe(`/${name}`);
    expect(first?.entry.mtimeNs).toBe(2_524_705_445_123_456_789n);
    if (root) expect(first?.entry.uid).toBe(3_000_000);
    expect(new TextDecoder().decode(hard?.entry.target ?? bytes(""))).toBe(`/${name}`);
    expect(new TextDecoder().decode(soft?.entry.target ?? bytes(""))).toBe("target");
    expect(holes?.entry.sizeBytes).toBe(3_000_003);
    expect(holes?.sparse?.length).toBe(2);
    expect(holes?.bytes).toBeLessThan(20_000);
  });
});
