// Marks of everything that may own a medium, made by hand at their documented places.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  findSignatures,
  HEAD_BYTES,
  type MediumEnds,
  TAIL_BYTES,
} from "../../../../transport/raw/medium_signature.ts";

const SIZE_BYTES = 64 * 1024 * 1024;
const KIB = 1024;

/** An empty medium with some bytes written at places; negative ones count from the end. */
function medium(writes: readonly (readonly [number, string | readonly number[]])[]): MediumEnds {
  const head = new Uint8Array(HEAD_BYTES);
  const tail = new Uint8Array(TAIL_BYTES);
  for (const [offset, what] of writes) {
    const bytes = typeof what === "string" ? [...what].map((c) => c.charCodeAt(0)) : what;
    if (offset < 0) tail.set(bytes, TAIL_BYTES + offset);
    else head.set(bytes, offset);
  }
  return { sizeBytes: SIZE_BYTES, head, tail };
}

function found(...writes: readonly (readonly [number, string | readonly number[]])[]): string[] {
  return findSignatures(medium(writes)).map(({ what, offsetBytes }) => `${what} @${offsetBytes}`);
}

const EXT = [0x53, 0xef];
const LINUX_PARTITION = [0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0];

describe("findSignatures()", () => {
  const cases: readonly [
    name: string,
    writes: readonly (readonly [number, string | readonly number[]])[],
    expected: string,
  ][] = [
    ["ext2", [[1080, EXT]], "an ext2 file system @1080"],
    ["ext3", [[1080, EXT], [1116, [4]]], "an ext3 file system @1080"],
    ["ext4", [[1080, EXT], [1116, [4]], [1120, [0x40]]], "an ext4 file system @1080"],
    ["XFS", [[0, "XFSB"]], "an XFS file system @0"],
    ["btrfs", [[64 * KIB + 64, "_BHRfS_M"]], "a btrfs file system @65600"],
    ["LUKS1 and LUKS2", [[0, "LUKS\xba\xbe\0\x02"]], "a LUKS volume @0"],
    ["LUKS2's second header", [[16 * KIB, "SKUL\xba\xbe"]], "a LUKS volume (second header) @16384"],
    [
      "LVM2 in the second sector",
      [[512, "LABELONE"], [536, "LVM2 001"]],
      "an LVM2 physical volume @512",
    ],
    ["swap, pages of 4 KiB", [[4086, "SWAPSPACE2"]], "swap space @4086"],
    ["swap, pages of 64 KiB", [[65526, "SWAPSPACE2"]], "swap space @65526"],
    ["a suspended system", [[4086, "S1SUSPEND\0"]], "swap space @4086"],
    ["MBR", [[446, LINUX_PARTITION], [510, [0x55, 0xaa]]], "a partition table (MBR) @510"],
    ["FAT or NTFS", [[0, [0xeb, 0x52, 0x90]], [510, [0x55, 0xaa]]], "a partition table (MBR) @510"],
    ["GPT", [[512, "EFI PART"]], "a partition table (GPT) @512"],
    ["GPT, blocks of 4096", [[4096, "EFI PART"]], "a partition table (GPT) @4096"],
    ["GPT's copy", [[-512, "EFI PART"]], `a partition table (GPT), its copy @${SIZE_BYTES - 512}`],
    [
      "GPT's copy, blocks of 4096",
      [[-4096, "EFI PART"]],
      `a partition table (GPT), its copy @${SIZE_BYTES - 4096}`,
    ],
    ["ZFS by an uberblock", [[128 * KIB, [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]]], "a ZFS label @16384"],
    [
      "ZFS of the other byte order",
      [[(256 + 255) * KIB, [0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c]]],
      `a ZFS label @${272 * KIB}`,
    ],
    ["ZFS by its names", [[16 * KIB + 60, "pool_guid"]], "a ZFS label @16384"],
    [
      "ZFS, the third label",
      [[-512 * KIB + 130 * KIB, [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0]]],
      `a ZFS label @${SIZE_BYTES - 496 * KIB}`,
    ],
    [
      "ZFS, the fourth label",
      [[-256 * KIB + 20 * KIB, "pool_guid"]],
      `a ZFS label @${SIZE_BYTES - 240 * KIB}`,
    ],
    ["VMFS", [[1024 * KIB, [0x0d, 0xd0, 0x01, 0xc0]]], "a VMFS file system @1048576"],
    ["OCFS2", [[8 * KIB, "OCFSV2"]], "an OCFS2 file system @8192"],
    ["GFS2", [[64 * KIB, [0x01, 0x16, 0x19, 0x70]]], "a GFS2 file system @65536"],
    ["MD", [[4 * KIB, [0xfc, 0x4e, 0x2b, 0xa9]]], "a member of an MD array @4096"],
    ["Oracle ASM", [[32, "ORCLDISK"]], "an Oracle ASM disk @32"],
  ];
  for (const [name, writes, expected] of cases) {
    test(`names ${name}`, () => expect(found(...writes)).toEqual([expected]));
  }

  test("finds nothing on an empty medium, nor on a tiny one", () => {
    expect(found()).toEqual([]);
    for (const count of [0, 1, 511, 512, 513, 4096, 8192]) {
      const bytes = new Uint8Array(count);
      expect(findSignatures({ sizeBytes: count, head: bytes, tail: bytes })).toEqual([]);
    }
  });

  test("takes two bytes at the end of a sector for no partition table", () => {
    expect(found([508, [1, 2, 0x55, 0xaa]])).toEqual([]);
    expect(found([446, [7, 0, 0, 0, 0x83]], [510, [0x55, 0xaa]])).toEqual([]);
  });

  test("tells every signature of a medium that has several", () => {
    const all = found([446, LINUX_PARTITION], [510, [0x55, 0xaa]], [512, "EFI PART"], [1080, EXT]);
    expect(all.length).toBe(3);
  });

  test("bears any bytes, and names places on the medium", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 70_000 }), (bytes) => {
      const ends = { sizeBytes: bytes.length, head: bytes, tail: bytes };
      for (const { offsetBytes, lengthBytes } of findSignatures(ends)) {
        expect(offsetBytes).toBeGreaterThanOrEqual(0);
        expect(offsetBytes + lengthBytes).toBeLessThanOrEqual(bytes.length);
      }
    }));
  });
});
