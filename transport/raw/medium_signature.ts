// Finds out whether a medium belongs to somebody: file systems, partition tables, volume managers,
// encryption, swap. Pure: the first and the last piece of the medium come in as bytes.
//
//   ext2/3/4    0xef53 (little-endian) at 1080            LVM2   "LABELONE" in one of the first
//   XFS, btrfs, LUKS, swap and others: signature_table           four sectors, "LVM2 001" at +24
//   GPT         "EFI PART" in block 1, and in the last    MBR    0x55 0xaa at 510, with a partition
//   ZFS         labels of 256 KiB, two at each end: a            or a jump to boot code
//               list of names at 16 KiB, uberblocks (0x00bab10c, either order) from 128 KiB on
//
// Invariant: nothing found here is used as a length or an offset.

import { FIXED_MARKS } from "./signature_table.ts";

/** The two ends of a medium; of a small one they overlap. */
export interface MediumEnds {
  readonly sizeBytes: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

export interface Signature {
  /** As in "an ext4 file system". */
  readonly what: string;
  /** Where the mark stands on the medium, and for how long it reaches. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const ZFS_LABEL_BYTES = 256 * 1024;
const ZFS_NAMES_BYTES = 16 * 1024;
const ZFS_UBERBLOCKS_BYTES = 128 * 1024;
const ZFS_MAGIC = 0x00ba_b10c;
const SECTOR_BYTES = 512;

/** @example findSignatures(await readEnds(volume))[0]?.what // "swap space" */
export function findSignatures(ends: MediumEnds): Signature[] {
  const { head } = ends;
  const found: Signature[] = [];
  for (const { what, offsetBytes, magic } of FIXED_MARKS) {
    if (!isAt(head, offsetBytes, magic)) continue;
    found.push({ what, offsetBytes, lengthBytes: magic.length });
  }
  const ext = extKind(head);
  if (ext !== null) found.push({ what: ext, offsetBytes: 1080, lengthBytes: 2 });
  for (let sector = 0; sector < 4; sector++) {
    const at = sector * SECTOR_BYTES;
    if (!isAt(head, at, "LABELONE") || !isAt(head, at + 24, "LVM2 001")) continue;
    found.push({ what: "an LVM2 physical volume", offsetBytes: at, lengthBytes: 32 });
  }
  if (hasBootRecord(head)) {
    found.push({ what: "a partition table (MBR)", offsetBytes: 510, lengthBytes: 2 });
  }
  return [...found, ...partitionTables(ends), ...zfsLabels(ends)];
}

/** Bytes of each end that `findSignatures` looks at. */
export const HEAD_BYTES = 2 * 1024 * 1024;
export const TAIL_BYTES = 1024 * 1024;

function extKind(head: Uint8Array): string | null {
  if (!isAt(head, 1080, [0x53, 0xef])) return null;
  const [hasJournal, hasExtents] = [(head[1024 + 92] ?? 0) & 4, (head[1024 + 96] ?? 0) & 0x40];
  return `an ${hasExtents ? "ext4" : hasJournal ? "ext3" : "ext2"} file system`;
}

/** A boot record without partitions and without code says nothing: any two bytes may be those. */
function hasBootRecord(head: Uint8Array): boolean {
  if (!isAt(head, 510, [0x55, 0xaa])) return false;
  if (head[0] === 0xeb || head[0] === 0xe9) return true;
  let partitions = 0;
  for (let at = 446; at < 510; at += 16) {
    if (((head[at] ?? 0) & 0x7f) !== 0) return false;
    if (head[at + 4] !== 0) partitions += 1;
  }
  return partitions > 0;
}

function* partitionTables({ head, tail, sizeBytes }: MediumEnds): Generator<Signature> {
  const [what, lengthBytes] = ["a partition table (GPT)", SECTOR_BYTES];
  for (const blockBytes of [512, 4096]) {
    if (isAt(head, blockBytes, "EFI PART")) yield { what, offsetBytes: blockBytes, lengthBytes };
    const at = tail.length - blockBytes;
    if (!isAt(tail, at, "EFI PART")) continue;
    yield { what: `${what}, its copy`, offsetBytes: sizeBytes - blockBytes, lengthBytes };
  }
}

function* zfsLabels({ head, tail, sizeBytes }: MediumEnds): Generator<Signature> {
  const what = "a ZFS label";
  const lengthBytes = ZFS_LABEL_BYTES - ZFS_NAMES_BYTES;
  const wholeBytes = sizeBytes - sizeBytes % ZFS_LABEL_BYTES;
  for (const at of [0, ZFS_LABEL_BYTES]) {
    const label = head.subarray(at, at + ZFS_LABEL_BYTES);
    if (isZfsLabel(label)) yield { what, offsetBytes: at + ZFS_NAMES_BYTES, lengthBytes };
  }
  for (const start of [wholeBytes - 2 * ZFS_LABEL_BYTES, wholeBytes - ZFS_LABEL_BYTES]) {
    const at = start - (sizeBytes - tail.length);
    if (at < 0 || start < 2 * ZFS_LABEL_BYTES) continue;
    const label = tail.subarray(at, at + ZFS_LABEL_BYTES);
    if (isZfsLabel(label)) yield { what, offsetBytes: start + ZFS_NAMES_BYTES, lengthBytes };
  }
}

function isZfsLabel(label: Uint8Array): boolean {
  if (label.length < ZFS_LABEL_BYTES) return false;
  const names = new TextDecoder("latin1").decode(
    label.subarray(ZFS_NAMES_BYTES, ZFS_UBERBLOCKS_BYTES),
  );
  if (names.includes("pool_guid")) return true;
  const view = new DataView(label.buffer, label.byteOffset, label.length);
  for (let at = ZFS_UBERBLOCKS_BYTES; at < ZFS_LABEL_BYTES; at += 1024) {
    const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (low === ZFS_MAGIC && high === 0) return true;
    if (low === 0 && view.getUint32(at + 4, false) === ZFS_MAGIC) return true;
  }
  return false;
}

function isAt(bytes: Uint8Array, at: number, magic: string | readonly number[]): boolean {
  if (at < 0 || at + magic.length > bytes.length) return false;
  for (let index = 0; index < magic.length; index++) {
    const wanted = typeof magic === "string" ? magic.charCodeAt(index) : magic[index];
    if (bytes[at + index] !== wanted) return false;
  }
  return true;
}
