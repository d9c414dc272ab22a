// Marks by which file systems, partition tables, volume managers and others of their kind are
// recognized, as constants at fixed places. Those that need more than a comparison are in
// medium_signature.ts.

export interface FixedMark {
  /** For "found …" in a message. */
  readonly what: string;
  readonly offsetBytes: number;
  /** Text in ASCII, or bytes. */
  readonly magic: string | readonly number[];
}

const KIB = 1024;

export const FIXED_MARKS: readonly FixedMark[] = [
  { what: "an XFS file system", offsetBytes: 0, magic: "XFSB" },
  { what: "a btrfs file system", offsetBytes: 64 * KIB + 64, magic: "_BHRfS_M" },
  { what: "an F2FS file system", offsetBytes: KIB, magic: [0x10, 0x20, 0xf5, 0xf2] },
  { what: "an OCFS2 file system", offsetBytes: 8 * KIB, magic: "OCFSV2" },
  { what: "a GFS2 file system", offsetBytes: 64 * KIB, magic: [0x01, 0x16, 0x19, 0x70] },
  { what: "a VMFS file system", offsetBytes: 1024 * KIB, magic: [0x0d, 0xd0, 0x01, 0xc0] },
  { what: "an ISO 9660 file system", offsetBytes: 32 * KIB + 1, magic: "CD001" },
  { what: "a LUKS volume", offsetBytes: 0, magic: "LUKS\xba\xbe" },
  // The second header of LUKS2, by the size of the first.
  ...[16, 32, 64, 128, 256, 512, 1024].map((kib) => ({
    what: "a LUKS volume (second header)",
    offsetBytes: kib * KIB,
    magic: "SKUL\xba\xbe",
  })),
  { what: "a member of an MD array", offsetBytes: 0, magic: [0xfc, 0x4e, 0x2b, 0xa9] },
  { what: "a member of an MD array", offsetBytes: 4 * KIB, magic: [0xfc, 0x4e, 0x2b, 0xa9] },
  { what: "an Oracle ASM disk", offsetBytes: 32, magic: "ORCLDISK" },
  { what: "a Ceph OSD", offsetBytes: 0, magic: "bluestore block device" },
  { what: "an SBD fencing device", offsetBytes: 0, magic: "SBD_SBD_" },
  // The mark of swap space ends the first page, whose size depends on the machine.
  ...[4, 8, 16, 64].flatMap((kib) =>
    ["SWAPSPACE2", "SWAP-SPACE", "S1SUSPEND\0", "ULSUSPEND\0"].map((magic) => ({
      what: "swap space",
      offsetBytes: kib * KIB - 10,
      magic,
    }))
  ),
];
