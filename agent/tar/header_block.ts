// The 512-byte ustar header block (POSIX.1-1988 with the pax rules of 2001).
//
//   offset  bytes  field          offset  bytes  field
//        0    100  name              156      1  typeflag
//      100      8  mode              157    100  linkname
//      108      8  uid               257      6  magic "ustar\0"
//      116      8  gid               263      2  version "00"
//      124     12  size              265     32  uname (empty: owners are numbers)
//      136     12  mtime             297     32  gname (empty)
//      148      8  checksum          329      8  devmajor, 337 8 devminor, 345 155 prefix
//
// Numbers are octal text; GNU's base-256 (first bit set) is read too. The checksum is the sum of
// all bytes with its own field as spaces.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { BLOCK_BYTES } from "./sparse_map.ts";

/** Largest number of an 8-byte field: seven octal digits. */
export const MAX_OCTAL_7 = 0o7777777;
/** Largest number of a 12-byte field: eleven octal digits. */
export const MAX_OCTAL_11 = 0o77777777777;
/** Bytes of the name and linkname fields. */
export const NAME_BYTES = 100;

const CHECKSUM_OFFSET = 148;
const MAX_INT32 = 0x7fff_ffff;
const NOTHING = new Uint8Array(0);
const SPACE = 0x20;
/** "ustar", NUL, "00". */
const MAGIC = new TextEncoder().encode("ustar\u000000");
/** Of the bytes that are the same in every block: the magic, and the checksum's field as spaces. */
const CONSTANT_SUM = byteSum(MAGIC, 0, MAGIC.length) + 8 * SPACE;

/** The fields of a header block. Names are cut to their field; a pax record has the whole. */
export interface HeaderBlock {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly typeflag: string;
  readonly linkname: Uint8Array;
  readonly major: number;
  readonly minor: number;
}

/** Writes the block into `into` (512 bytes, zeros) at `offset`. Numbers must fit their fields. */
export function writeHeaderBlock(into: Uint8Array, offset: number, header: HeaderBlock): void {
  assert(into.length >= offset + BLOCK_BYTES, "a header block has 512 bytes");
  const typeflag = header.typeflag.charCodeAt(0);
  into[offset + 156] = typeflag;
  into.set(MAGIC, offset + 257);
  // The rest is zeros: what is written is the whole sum.
  const sum = CONSTANT_SUM + typeflag +
    writeName(into, offset, header.name) +
    writeOctal(into, offset + 100, 7, header.mode) +
    writeOctal(into, offset + 108, 7, header.uid) +
    writeOctal(into, offset + 116, 7, header.gid) +
    writeOctal(into, offset + 124, 11, header.size) +
    writeOctal(into, offset + 136, 11, header.mtimeSeconds) +
    writeName(into, offset + 157, header.linkname) +
    writeOctal(into, offset + 329, 7, header.major) +
    writeOctal(into, offset + 337, 7, header.minor);
  writeOctal(into, offset + CHECKSUM_OFFSET, 6, sum);
  into[offset + CHECKSUM_OFFSET + 7] = SPACE;
}

/**
 * Reads the header block at `offset`; null for one of zeros (end of archive). Names are copies,
 * prefix applied.
 * @throws AgentError `damaged`
 */
export function readHeaderBlock(bytes: Uint8Array, offset = 0): HeaderBlock | null {
  assert(bytes.length >= offset + BLOCK_BYTES, "a header block has 512 bytes");
  let sum = byteSum(bytes, offset, offset + BLOCK_BYTES);
  if (sum === 0) return null;
  const checksumAt = offset + CHECKSUM_OFFSET;
  sum += 8 * SPACE - byteSum(bytes, checksumAt, checksumAt + 8);
  const wanted = readNumber(bytes, checksumAt, 8, "checksum");
  if (wanted !== sum) throw damagedHeader(`checksum ${wanted}`, `${sum}`);
  for (let at = 0; at < 5; at++) {
    if (bytes[offset + 257 + at] !== MAGIC[at]) throw damagedHeader("another magic", "ustar");
  }
  const posix = bytes[offset + 262] === 0;
  const name = cString(bytes, offset, NAME_BYTES);
  const prefix = posix ? cString(bytes, offset + 345, 155) : NOTHING;
  const typeflag = String.fromCharCode(bytes[offset + 156] || 0x30);
  const device = typeflag === "3" || typeflag === "4";
  return {
    name: prefix.length > 0 ? Uint8Array.from([...prefix, 0x2f, ...name]) : name,
    mode: readNumber(bytes, offset + 100, 8, "mode"),
    uid: readNumber(bytes, offset + 108, 8, "uid"),
    gid: readNumber(bytes, offset + 116, 8, "gid"),
    size: readNumber(bytes, offset + 124, 12, "size"),
    mtimeSeconds: readNumber(bytes, offset + 136, 12, "mtime"),
    typeflag,
    linkname: cString(bytes, offset + 157, NAME_BYTES),
    major: device ? readNumber(bytes, offset + 329, 8, "device major") : 0,
    minor: device ? readNumber(bytes, offset + 337, 8, "device minor") : 0,
  };
}

export function damagedHeader(found: string, needed: string): AgentError {
  return new AgentError("damaged", `Cannot read tar header: found ${found}, need ${needed}`, {
    hint: "Run `agent verify` to find the damaged media.",
  });
}

/** @returns the sum of the bytes written */
function writeOctal(block: Uint8Array, offset: number, digits: number, value: number): number {
  assert(value >= 0 && value < 8 ** digits, "a number fits the octal digits of its field");
  let rest = value;
  let sum = 0x30 * digits;
  for (let at = offset + digits - 1; at >= offset; at--) {
    const digit = rest & 7; // The low bits of any safe integer.
    block[at] = 0x30 + digit;
    sum += digit;
    rest = rest <= MAX_INT32 ? rest >>> 3 : Math.floor(rest / 8);
  }
  return sum;
}

/** Spaces, octal digits, then spaces and NULs; or base 256. */
function readNumber(block: Uint8Array, offset: number, length: number, what: string): number {
  const end = offset + length;
  if (((block[offset] ?? 0) & 0x80) !== 0) return readBase256(block.subarray(offset, end), what);
  let at = offset;
  while (at < end && block[at] === SPACE) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; at < end; at++) {
    if (block[at] !== SPACE && block[at] !== 0) {
      throw damagedHeader(`${what} that is no number`, "octal digits");
    }
  }
  return value;
}

function readBase256(field: Uint8Array, what: string): number {
  const negative = (field[0] ?? 0) === 0xff;
  let value = negative ? -1 : (field[0] ?? 0) & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value) || (negative && what !== "mtime")) {
    throw damagedHeader(`${what} ${value}`, "a number that is exact");
  }
  return value;
}

function cString(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  if (bytes[offset] === 0) return NOTHING;
  const end = bytes.indexOf(0, offset);
  return bytes.slice(offset, end < 0 ? offset + length : Math.min(end, offset + length));
}

/** @returns the sum of the bytes written */
function writeName(into: Uint8Array, offset: number, name: Uint8Array): number {
  const length = Math.min(name.length, NAME_BYTES);
  let sum = 0;
  for (let index = 0; index < length; index++) {
    const byte = name[index] as number;
    into[offset + index] = byte;
    sum += byte;
  }
  return sum;
}

function byteSum(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += bytes[at] as number;
  return sum;
}
