// The first page of a segment of PostgreSQL's log, and whether a segment is the one that its name
// says (XLogLongPageHeaderData of access/xlog_internal.h, as x86-64 and arm64 lay it out). Pure.
//
//   offset bytes
//   0      2     xlp_magic, little-endian: 0xD0.. or 0xD1.., another one in each major version
//   2      2     xlp_info: 0x0002 says that this is the long header, as each first page has
//   4      4     xlp_tli, timeline
//   8      8     xlp_pageaddr, LSN of the page
//   16     4     xlp_rem_len, rest of a record that began before
//   20     4     padding
//   24     8     xlp_sysid, the cluster's system identifier
//   32     4     xlp_seg_size, bytes of a segment
//   36     4     xlp_xlog_blcksz, bytes of a page
//
// The check keeps from the archive what a full disk cut short, another cluster's log under a name
// of this one's, and a recycled segment that was not written yet: its pages have other addresses.

import { AgentError } from "../../transport/ground/error.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "./limits.ts";
import { formatLsn } from "./lsn.ts";
import { isSegmentOf, segmentIndex } from "./wal_file_name.ts";
import type { WalFileName } from "./wal_file_name.ts";

export const WAL_HEADER_BYTES = 40;

const LONG_HEADER = 0x0002;

export interface WalHeader {
  readonly timeline: number;
  /** LSN of the segment's first byte. */
  readonly address: bigint;
  readonly system: bigint;
  readonly segmentBytes: number;
  readonly pageBytes: number;
}

/** What is to be known of a file to tell whether it is a segment. */
export interface SegmentFacts {
  /** Its first bytes, WAL_HEADER_BYTES or more if it has so many. */
  readonly head: Uint8Array;
  /** Its length. */
  readonly bytes: number;
}

/** @throws AgentError `damaged` when `bytes` do not begin with the first page of a segment */
export function decodeWalHeader(bytes: Uint8Array): WalHeader {
  if (bytes.length < WAL_HEADER_BYTES) throw noHeader(`${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_HEADER_BYTES);
  const magic = view.getUint16(0, true);
  if (magic >> 9 !== 0xd0 >> 1) throw noHeader(`magic 0x${magic.toString(16)}`);
  if ((view.getUint16(2, true) & LONG_HEADER) === 0) throw noHeader("a page within a segment");
  const header = {
    timeline: view.getUint32(4, true),
    address: view.getBigUint64(8, true),
    system: view.getBigUint64(24, true),
    segmentBytes: view.getUint32(32, true),
    pageBytes: view.getUint32(36, true),
  };
  if (!isSegmentSize(header.segmentBytes)) {
    throw noHeader(`segments of ${header.segmentBytes} bytes`);
  }
  if (header.timeline === 0) throw noHeader("timeline 0");
  return header;
}

/** Does PostgreSQL make segments of that many bytes? */
export function isSegmentSize(bytes: number): boolean {
  return bytes >= MIN_SEGMENT_BYTES && bytes <= MAX_SEGMENT_BYTES &&
    Number.isInteger(Math.log2(bytes));
}

/**
 * Checks that a file is the whole segment that `name` says, also one that is partial: that has full
 * length, too. The header's timeline may be an older one: the first segment of a timeline is
 * a copy of the one where it forked off, up to the fork.
 * @throws AgentError `damaged` without a header, `mismatch` when it is that of another segment
 */
export function checkSegment(
  name: WalFileName & { readonly type: "segment" | "partial" },
  { head, bytes }: SegmentFacts,
): WalHeader {
  const header = decodeWalHeader(head);
  const { segmentBytes } = header;
  if (bytes !== segmentBytes) {
    throw misfit(name.name, `${bytes} bytes`, `the segment size of ${segmentBytes}`);
  }
  if (header.timeline > name.timeline) {
    throw misfit(name.name, `timeline ${header.timeline}`, `${name.timeline} or an older one`);
  }
  const fits = isSegmentOf(name, segmentBytes);
  const address = fits ? BigInt(segmentIndex(name, segmentBytes)) * BigInt(segmentBytes) : null;
  if (header.address !== address) {
    const wanted = address === null ? "a name of a segment of this size" : formatLsn(address);
    throw misfit(name.name, `the segment at ${formatLsn(header.address)}`, wanted);
  }
  return header;
}

function noHeader(found: string): AgentError {
  const wanted = "the first page of a segment";
  return new AgentError("damaged", `Cannot read WAL segment: found ${found}, need ${wanted}`, {
    hint: "Look at the disk that has `pg_wal`, and at the log of the PostgreSQL server.",
  });
}

function misfit(name: string, found: string, wanted: string): AgentError {
  const message = `Cannot take WAL segment "${name}": found ${found}, need ${wanted}`;
  return new AgentError("mismatch", message, {
    hint: "Let `archive_command` pass on the file that PostgreSQL names, as %p and unchanged.",
  });
}
