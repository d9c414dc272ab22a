// Every decoder of what comes over a wire, from a disk, from media or from a configuration, with
// inputs that it takes. `seal` makes checksums right again, so that a change reaches what is behind
// them; `length` is that of a decoder whose caller reads so many bytes.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import * as bench from "../../../agent/bench/bench_message.ts";
import { decodePeerLine } from "../../../agent/bench/peer_line.ts";
import { loadClientConfig, loadServerConfig, parseSize } from "../../../agent/config/mod.ts";
import { parseDuration } from "../../../agent/config/quantity.ts";
import { headerBytes } from "../../../agent/encryption/age_header.ts";
import { decodeDocument } from "../../../agent/job/link_document.ts";
import * as link from "../../../agent/job/link_frame.ts";
import { decodeGroupIndex } from "../../../agent/media/group_index.ts";
import { decodeIndexRows } from "../../../agent/media/index_rows.ts";
import { decodeLabel } from "../../../agent/media/label.ts";
import { ageFileOf, checkSealedHead } from "../../../agent/media/sealed_frame.ts";
import { decodeSkippable } from "../../../agent/media/skippable_frame.ts";
import { decodeSeekTable } from "../../../agent/media/seek_table.ts";
import { decodeTrailer } from "../../../agent/media/trailer.ts";
import { checkZstdFrame, readZstdHeader } from "../../../agent/media/zstd_frame.ts";
import * as postgres from "../../../agent/postgresql/message.ts";
import { decodeRecords, encodeRecords } from "../../../agent/schedule/schedule_record.ts";
import { decodeAclText } from "../../../agent/tar/acl_text.ts";
import { readHeaderBlock } from "../../../agent/tar/header_block.ts";
import { encodePaxRecord, parsePaxRecords } from "../../../agent/tar/pax_records.ts";
import { parseSparseMap } from "../../../agent/tar/sparse_map.ts";
import { TarReader } from "../../../agent/tar/tar_reader.ts";
import { decodeDrillMark, encodeDrillMark } from "../../../agent/vault/drill_mark.ts";
import { decodeXattrRecords, encodeXattrRecords } from "../../../agent/tar/xattr_records.ts";
import { decodeBackupRange, encodeBackupRange } from "../../../agent/wal/backup_range.ts";
import { parseTimelineHistory } from "../../../agent/wal/timeline_history.ts";
import { parseWalFileName } from "../../../agent/wal/wal_file_name.ts";
import { checkSegment, decodeWalHeader } from "../../../agent/wal/wal_header.ts";
import { openSealedFile } from "../../../agent/wal/sealed_file.ts";
import { clusterSecretOf } from "../../../agent/postgresql/control_file.ts";
import {
  jobRequestSchema,
  loginSchema,
  walOwnSchema,
} from "../../../agent/control/request_schema.ts";
import { SseDecoder } from "../../../agent/control/sse_decoder.ts";
import { BOARD_HEADER_BYTES, checkBoardHeader } from "../../../emulator/board_header.ts";
import { boardLayout } from "../../../emulator/board_layout.ts";
import { decodeDeviceLabel } from "../../../emulator/device_label.ts";
import { decodeFaultFile, encodeFaultFile } from "../../../emulator/fault_file.ts";
import { decodeGeometry } from "../../../emulator/geometry_file.ts";
import { decodeHostRow, encodeHostRow } from "../../../emulator/host_row_layout.ts";
import { checkPendingHeader, PENDING_HEADER_BYTES } from "../../../emulator/pending_header.ts";
import * as flow from "../../../transport/flow/flow_messages.ts";
import { crc32 } from "../../../transport/ground/crc32.ts";
import { viewOf } from "../../../transport/stp/block_fields.ts";
import { ControlBlock, decodeControlBlock } from "../../../transport/stp/control_block.ts";
import {
  connectionSeed,
  FrameEntry,
  FrameTable,
  INLINE_SLOT,
} from "../../../transport/stp/frame_entry.ts";
import { FRAME_ENTRY_BYTES, FRAME_TABLE_OFFSET } from "../../../transport/stp/limits.ts";
import { decodeHostBlock } from "../../../transport/stp/host_block.ts";
import { decodeProofBlock } from "../../../transport/stp/proof_block.ts";
import { decodeSuperblock } from "../../../transport/stp/superblock.ts";
import { certificateFacts } from "../../../transport/tls/certificate_facts.ts";
import { certificateNames } from "../../../transport/tls/certificate_names.ts";
import { CERTIFICATE, CLIENT, FLOW, LINK, ROWS, SERVER } from "./seeds.ts";
import { DRILL, FAULTS, HOST_ROW, RANGE, SCHEDULES, XATTRS } from "./value_seeds.ts";

export interface Decoder {
  readonly name: string;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly seeds: readonly Uint8Array[];
  readonly length?: number;
  readonly seal?: (bytes: Uint8Array) => void;
}

const GOLDEN = new URL("../../golden/", import.meta.url).href;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (value: string) => new TextEncoder().encode(value);

export function golden(name: string): Uint8Array {
  const path = fileURLToPath(GOLDEN + name);
  if (!existsSync(path)) throw new Error(`no golden file ${name}`);
  const bytes = readFileSync(path);
  return name.endsWith(".hex")
    ? Uint8Array.fromHex(bytes.toString().replace(/^[0-9a-f]+:|\s/gm, ""))
    : Uint8Array.from(bytes);
}

/** The frames of the golden media, one after the other. */
function mediaFrames(): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const name of ["format_1", "format_2_full", "format_2_incremental", "format_3_encrypted"]) {
    const media = golden(`media/${name}.tar.zst`);
    const view = new DataView(media.buffer);
    const starts: number[] = [];
    for (let at = 0; at + 8 < media.length; at++) {
      const magic = view.getUint32(at, true);
      if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) starts.push(at);
    }
    starts.forEach((start, index) => frames.push(media.slice(start, starts[index + 1])));
  }
  return frames;
}

const FRAMES = mediaFrames();

/** Where the last frame of media begins. */
function seekOffset(media: Uint8Array): number {
  const view = new DataView(media.buffer);
  let at = media.length - 8;
  while (view.getUint32(at, true) !== 0x184d2a5e) at--;
  return at;
}

function block(name: string): Uint8Array {
  const whole = new Uint8Array(4096);
  whole.set(golden(`stp/${name}.hex`));
  return whole;
}

function record(
  name: string,
  seeds: readonly string[],
  decode: (bytes: Uint8Array) => unknown,
): Decoder {
  const seal = (bytes: Uint8Array) =>
    viewOf(bytes).setUint32(508, crc32(bytes.subarray(0, 508)), true);
  return { name, decode, seeds: seeds.map(block), length: 4096, seal };
}

function media(name: string, decode: (frame: Uint8Array) => unknown): Decoder {
  return { name, decode, seeds: FRAMES };
}

function texts(name: string, seeds: readonly string[], decode: (of: string) => unknown): Decoder {
  return { name, decode: (bytes) => decode(text(bytes)), seeds: seeds.map(bytesOf) };
}

/** A control file of PostgreSQL 15, as far as it is looked at. */
function controlFile(): Uint8Array {
  const bytes = new Uint8Array(296).fill(20);
  viewOf(bytes).setUint32(8, 1300, true);
  return bytes;
}

const GEOMETRY = decodeGeometry(golden("emulator/array.json"), "array.json");
const WAL_NAME = "00000001000000000000000A";
const WAL_HEADS = [WAL_NAME, "00000002000000000000000F"].map((name) => golden(`wal/${name}.head`));
const ORDER = bench.encodeOrder({ kind: "stream", messageBytes: 4096, buffers: 2 });
/** Where the seek table of the golden full backup stands. */
const SEEK_OFFSET = seekOffset(golden("media/format_2_full.tar.zst"));
const BOARD = { uuid: GEOMETRY.uuid, layout: boardLayout(GEOMETRY, 1) };
/** What checksums of frames between two endpoints begin with. */
const CONNECTION = connectionSeed(
  { host: 1, endpoint: 2, boot: 3, generation: 4 },
  { host: 2, endpoint: 5, boot: 6, generation: 7 },
);
const JOB_REQUESTS = [
  '{"kind":"backup-filesystem","client":"web01","paths":["/srv"],"exclude":["*.log"]}',
  '{"kind":"restore-filesystem","backup":"latest","target":"/r","include":["/srv/*"]}',
  '{"kind":"restore-database","backup":"b","database":"pg","recovery":{"target":{"kind":"lsn",' +
  '"lsn":"0/2000028"},"timeline":"latest"}}',
  '{"kind":"verify","subset":{"part":1,"of":7}}',
];
const UUID = "00112233445566778899aabbccddeeff";

export const DECODERS: readonly Decoder[] = [
  record(
    "control block",
    ["control_block", "control_block_recovery"],
    (bytes) => decodeControlBlock(bytes, viewOf(bytes), new ControlBlock()),
  ),
  record(
    "host block",
    ["host_block", "host_block_process"],
    (bytes) => decodeHostBlock(bytes, { hostId: 2, stgUuid: UUID }),
  ),
  record("proof block", ["proof_block"], decodeProofBlock),
  {
    name: "encrypted file of a log",
    decode: openSealedFile,
    seeds: [golden("wal/encrypted_1.zst")],
    seal: (bytes) => {
      if (bytes.length >= 16) viewOf(bytes).setUint32(12, crc32(bytes.subarray(16)), true);
    },
  },
  { name: "control file", decode: clusterSecretOf, seeds: [controlFile()] },
  record("superblock", ["superblock"], decodeSuperblock),
  { name: "host row", decode: decodeHostRow, seeds: [encodeHostRow(HOST_ROW)], length: 4096 },
  {
    name: "device label",
    decode: (bytes) => decodeDeviceLabel(bytes, "v0"),
    seeds: [golden("emulator/device_label.hex")],
    length: 4096,
  },
  {
    name: "array.json",
    decode: (bytes) => decodeGeometry(bytes, "array.json"),
    seeds: [golden("emulator/array.json")],
  },
  {
    name: "faults.json",
    decode: (bytes) => decodeFaultFile(bytes, GEOMETRY, "faults.json"),
    seeds: [encodeFaultFile(FAULTS)],
  },
  { name: "link header", decode: link.decodeHeader, seeds: LINK.headers, length: 8 },
  { name: "link document", decode: decodeDocument, seeds: LINK.documents },
  { name: "data record", decode: link.decodeDataRecord, seeds: LINK.data },
  { name: "restore record", decode: link.decodeRestoreRecord, seeds: LINK.restore },
  { name: "parent chunk", decode: link.decodeParentChunk, seeds: LINK.parent },
  { name: "flow tag", decode: flow.decodeTag, seeds: [flow.encodeTag("AF_STP")], length: 4 },
  { name: "flow port", decode: flow.decodePort, seeds: [flow.encodeU32(7430)], length: 4 },
  { name: "flow length", decode: flow.decodeLength, seeds: [flow.encodeU32(100)], length: 4 },
  { name: "hello", decode: flow.decodeHello, seeds: FLOW },
  { name: "stg message", decode: flow.decodeStgMessage, seeds: FLOW },
  { name: "port message", decode: flow.decodePortMessage, seeds: FLOW },
  { name: "verdict", decode: flow.decodeVerdict, seeds: FLOW },
  frameTable(),
  {
    name: "board header",
    decode: (bytes) => checkBoardHeader(bytes, BOARD, "board"),
    seeds: [golden("emulator/board_header.hex")],
    length: BOARD_HEADER_BYTES,
    seal: (bytes) => viewOf(bytes).setUint32(60, crc32(bytes.subarray(0, 60)), true),
  },
  {
    name: "pending header",
    decode: (bytes) => checkPendingHeader(bytes, GEOMETRY.uuid, "pending.map"),
    seeds: [golden("emulator/pending_header.hex")],
    length: PENDING_HEADER_BYTES,
    seal: (bytes) => viewOf(bytes).setUint32(32, crc32(bytes.subarray(0, 32)), true),
  },
  media("skippable frame", (frame) => decodeSkippable("index", frame)),
  media("label", decodeLabel),
  media("group index", decodeGroupIndex),
  { name: "index rows", decode: decodeIndexRows, seeds: ROWS },
  media("trailer", decodeTrailer),
  media("seek table", (frame) => decodeSeekTable(frame, SEEK_OFFSET)),
  media("zstd header", readZstdHeader),
  media("zstd frame", checkZstdFrame),
  media("age file", (frame) => headerBytes(ageFileOf(frame))),
  media("sealed head", (frame) => checkSealedHead(frame, frame.length)),
  { name: "tar header", decode: readHeaderBlock, seeds: LINK.tar, length: 512 },
  { name: "tar stream", decode: readTar, seeds: LINK.tar },
  { name: "pax records", decode: parsePaxRecords, seeds: [encodePaxRecord("path", "/srv/abc")] },
  {
    name: "attributes",
    decode: (bytes) => decodeXattrRecords(parsePaxRecords(bytes)),
    seeds: encodeXattrRecords(XATTRS),
  },
  texts("sparse map", ["2\n0\n512\n1024\n512\n"], (of) => parseSparseMap(of, 4096)),
  { name: "acl", decode: decodeAclText, seeds: [bytesOf("user::rw-,group::r--,other::r--")] },
  { name: "postgresql row", decode: postgres.decodeRow, seeds: LINK.rows },
  { name: "postgresql report", decode: postgres.decodeReport, seeds: LINK.rows },
  { name: "postgresql texts", decode: (bytes) => postgres.decodeTexts(bytes, 2), seeds: LINK.rows },
  { name: "postgresql authentication", decode: postgres.decodeAuthentication, seeds: LINK.rows },
  {
    name: "schedule records",
    decode: decodeRecords,
    seeds: [encodeRecords(SCHEDULES)],
  },
  { name: "drill mark", decode: decodeDrillMark, seeds: [encodeDrillMark(DRILL)] },
  { name: "wal header", decode: decodeWalHeader, seeds: WAL_HEADS, length: 40 },
  { name: "wal segment", decode: checkWalSegment, seeds: WAL_HEADS },
  {
    name: "wal history",
    decode: (bytes) => parseTimelineHistory(2, bytes),
    seeds: [golden("wal/00000002.history")],
  },
  { name: "wal range", decode: decodeBackupRange, seeds: [encodeBackupRange(RANGE)] },
  texts("wal file name", [WAL_NAME, `${WAL_NAME}.00000028.backup`], parseWalFileName),
  { name: "bench order", decode: bench.decodeOrder, seeds: [ORDER], length: bench.ORDER_BYTES },
  { name: "bench report", decode: bench.decodeReport, seeds: [ORDER], length: bench.REPORT_BYTES },
  texts("bench line", ['{"type":"listening","host":1,"port":49152}'], decodePeerLine),
  { name: "certificate names", decode: certificateNames, seeds: [CERTIFICATE] },
  { name: "certificate facts", decode: certificateFacts, seeds: [CERTIFICATE] },
  texts("server configuration", [SERVER], (of) => loadServerConfig(of, { file: "/etc/s.yaml" })),
  texts("client configuration", [CLIENT], (of) => loadClientConfig(of, { file: "/etc/c.yaml" })),
  texts("size", ["64MiB"], parseSize),
  texts("duration", ["30d"], parseDuration),
  texts("job request", JOB_REQUESTS, (of) => taken(jobRequestSchema, of)),
  texts("login", ['{"token":"0123456789abcdef"}'], (of) => taken(loginSchema, of)),
  texts("own log", [`{"bytes":16,"sha256":"${"0a".repeat(32)}"}`], (of) => taken(walOwnSchema, of)),
  texts("event stream", ["id: 1\nevent: a\ndata: x\n\n"], (of) => new SseDecoder().push(of)),
];

/** The entry of the sixth frame, whose payload stands in the block too. */
function frameTable(): Decoder {
  const expected = { seq: 5, streamOffset: 4096, payloadBytes: 65_536, slotsPerVolume: 4 };
  const payload = bytesOf("a small message");
  const image = new Uint8Array(4096);
  const table = new FrameTable(image, CONNECTION);
  const payloadCrc = crc32(payload);
  table.write({ ...expected, lengthBytes: payload.length, payloadCrc, slot: INLINE_SLOT });
  table.writeInline(payload);
  return {
    name: "frame table",
    seeds: [image],
    length: 4096,
    decode: (bytes) => {
      const table = new FrameTable(bytes, CONNECTION);
      const entry = new FrameEntry();
      if (table.read(expected, entry) !== "ok") return null;
      return entry.slot === INLINE_SLOT ? table.inlinePayload(entry.lengthBytes) : entry;
    },
    seal: (bytes) => {
      const at = FRAME_TABLE_OFFSET + expected.seq * FRAME_ENTRY_BYTES;
      const covered = bytes.subarray(at, at + FRAME_ENTRY_BYTES - 4);
      viewOf(bytes).setUint32(at + FRAME_ENTRY_BYTES - 4, crc32(covered, CONNECTION), true);
    },
  };
}

/** The body of a request as the control endpoint takes it; null when it refuses it. */
function taken(schema: z.ZodType, body: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return null; // Refused before the schema sees it.
  }
  const { data } = schema.safeParse(json);
  return data ?? null;
}

function checkWalSegment(head: Uint8Array): void {
  const name = parseWalFileName(WAL_NAME);
  if (name?.type === "segment") checkSegment(name, { head, bytes: 1024 * 1024 });
}

function readTar(bytes: Uint8Array): void {
  const reader = new TarReader({ member: () => {}, data: () => {}, end: () => {} });
  reader.feed(bytes);
}
