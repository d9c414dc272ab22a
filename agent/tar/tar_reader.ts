// A push parser of a pax tar stream: bytes in, members out to a sink. It holds at most one header
// (limits.ts) and never the content of a member.
//
//   header -> (pax body -> header)* -> (sparse map ->) content -> padding -> header …
//   header of zeros -> ended: only zeros may follow
//
// Invariants: what a length says is checked before it is believed; `member` precedes its `data`,
// `end` follows the last byte of it; the bytes given to `data` are valid only during the call.

import type { Entry, EntryType } from "../entry.ts";
import { damagedHeader, readHeaderBlock } from "./header_block.ts";
import type { HeaderBlock } from "./header_block.ts";
import { MAX_PAX_BYTES, MAX_SPARSE_EXTENTS, MAX_SPARSE_MAP_BYTES } from "./limits.ts";
import { paddingBytes } from "./member_header.ts";
import type { MemberExtra } from "./member_header.ts";
import { memberPath } from "./member_path.ts";
import { decodeXattrRecords } from "./xattr_records.ts";
import { parsePaxRecords, parsePaxTime, paxNumber } from "./pax_records.ts";
import { BLOCK_BYTES, damagedMap, parseSparseMap, sparseDataBytes } from "./sparse_map.ts";

/** Receives the members of a stream in order. */
export interface TarSink {
  /** A member begins; with a sparse map, `data` is that of its extents, one after the other. */
  member(entry: Entry, extra: MemberExtra): void;
  /** Content of the member; the bytes are only valid during the call. */
  data(bytes: Uint8Array): void;
  /** The member is complete. */
  end(): void;
}

type State = "header" | "pax" | "map" | "content" | "padding" | "ended";

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

interface UnfinishedMap {
  readonly entry: Entry;
  readonly xattrs: MemberExtra["xattrs"];
  readonly storedBytes: number;
  /** The blocks of the map so far, as text, and the line ends in them. */
  readonly blocks: string[];
  lines: number;
}

export class TarReader {
  readonly #sink: TarSink;
  /** A block that came in parts. */
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #blockFill = 0;
  #state: State = "header";
  /** Bytes left in the state "pax", "content" or "padding". */
  #left = 0;
  #padding = 0;
  #paxBody = new Uint8Array(0);
  #global = false;
  readonly #defaults = new Map<string, Uint8Array>();
  #pax = new Map<string, Uint8Array>();
  /** A sparse file whose map is not complete yet. */
  #sparse: UnfinishedMap | null = null;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /**
   * Parses the next bytes of the stream.
   * @throws AgentError `damaged`, and whatever the sink throws
   */
  feed(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const inBody = this.#state === "content" || this.#state === "padding" ||
        this.#state === "pax";
      at += inBody ? this.#consume(bytes, at) : this.#takeBlock(bytes, at);
    }
  }

  /** Forgets the member under way: the next bytes begin another one. */
  abandon(): void {
    this.#state = "header";
    this.#blockFill = 0;
    this.#pax = new Map();
  }

  /** Ends the stream. @throws AgentError `damaged` when a member is not complete */
  finish(): void {
    const between = this.#state === "header" || this.#state === "ended";
    if (!between || this.#blockFill > 0 || this.#pax.size > 0) {
      throw damagedHeader("the end inside a member", "a whole member");
    }
  }

  /** Takes what the present block still lacks from `bytes` at `at`; returns how much. */
  #takeBlock(bytes: Uint8Array, at: number): number {
    const count = Math.min(BLOCK_BYTES - this.#blockFill, bytes.length - at);
    if (count === BLOCK_BYTES) {
      this.#onBlock(bytes, at);
      return count;
    }
    this.#block.set(bytes.subarray(at, at + count), this.#blockFill);
    this.#blockFill += count;
    if (this.#blockFill === BLOCK_BYTES) {
      this.#blockFill = 0;
      this.#onBlock(this.#block, 0);
    }
    return count;
  }

  #onBlock(bytes: Uint8Array, at: number): void {
    if (this.#state === "map") return this.#onMapBlock(bytes.subarray(at, at + BLOCK_BYTES));
    const header = readHeaderBlock(bytes, at);
    if (header === null) {
      this.#state = "ended";
    } else if (this.#state === "ended") {
      throw damagedHeader("a member after the end", "zeros");
    } else if (header.typeflag === "x" || header.typeflag === "g") {
      this.#onPaxHeader(header);
    } else {
      this.#onMember(header);
    }
  }

  #onPaxHeader(header: HeaderBlock): void {
    if (header.size === 0 || header.size > MAX_PAX_BYTES) {
      throw damagedHeader(`a pax header of ${header.size} bytes`, `at most ${MAX_PAX_BYTES}`);
    }
    this.#global = header.typeflag === "g";
    this.#paxBody = new Uint8Array(header.size);
    this.#state = "pax";
    this.#left = header.size;
    this.#padding = paddingBytes(header.size);
  }

  /** Takes what belongs to the present state from `bytes` at `at`; returns how much. */
  #consume(bytes: Uint8Array, at: number): number {
    const count = Math.min(bytes.length - at, this.#left);
    if (this.#state !== "padding") {
      const part = bytes.subarray(at, at + count);
      if (this.#state === "content") this.#sink.data(part);
      else this.#paxBody.set(part, this.#paxBody.length - this.#left);
    }
    this.#left -= count;
    if (this.#left === 0) this.#onConsumed();
    return count;
  }

  #onConsumed(): void {
    if (this.#state === "pax") {
      const records = parsePaxRecords(this.#paxBody);
      const into = this.#global ? this.#defaults : this.#pax;
      for (const [key, value] of records) into.set(key, value);
    } else if (this.#state === "content") {
      this.#sink.end();
    }
    this.#left = this.#padding;
    this.#padding = 0;
    this.#state = this.#left > 0 ? "padding" : "header";
  }

  #onMember(header: HeaderBlock): void {
    const pax = (key: string) => this.#pax.get(key) ?? this.#defaults.get(key);
    const number = (key: string, otherwise: number) => {
      const value = pax(key);
      return value === undefined ? otherwise : paxNumber(value, key);
    };
    const type = TYPES[header.typeflag];
    if (type === undefined) {
      throw damagedHeader(`type ${JSON.stringify(header.typeflag)}`, "one of 0 to 7");
    }
    const storedBytes = number("size", header.size);
    if (type !== "file" && storedBytes > 0) {
      throw damagedHeader(`a ${type} of ${storedBytes} bytes`, "one without content");
    }
    const sparse = type === "file" && pax("GNU.sparse.major") !== undefined;
    if (sparse && (number("GNU.sparse.major", 0) !== 1 || number("GNU.sparse.minor", 0) !== 0)) {
      throw damagedHeader("another sparse format", "GNU sparse 1.0");
    }
    const name = (sparse ? pax("GNU.sparse.name") : pax("path")) ?? header.name;
    const mtime = pax("mtime");
    const ctime = pax("ctime");
    const entry: Entry = {
      path: memberPath(name, type),
      type,
      mode: header.mode & 0o7777,
      uid: number("uid", header.uid),
      gid: number("gid", header.gid),
      sizeBytes: sparse ? number("GNU.sparse.realsize", storedBytes) : storedBytes,
      mtimeNs: mtime ? parsePaxTime(mtime, "mtime") : BigInt(header.mtimeSeconds) * 1_000_000_000n,
      ctimeNs: ctime ? parsePaxTime(ctime, "ctime") : 0n,
      inode: 0n,
      target: linkTarget(type, pax("linkpath") ?? header.linkname),
      rdev: type === "character" || type === "block"
        ? { major: header.major, minor: header.minor }
        : null,
    };
    const xattrs = decodeXattrRecords(this.#pax);
    this.#pax = new Map();
    if (sparse) {
      this.#sparse = { entry, xattrs, storedBytes, blocks: [], lines: 0 };
      this.#state = "map";
    } else {
      this.#begin(entry, { sparse: null, xattrs }, storedBytes);
    }
  }

  #begin(entry: Entry, extra: MemberExtra, contentBytes: number): void {
    this.#sink.member(entry, extra);
    this.#state = "content";
    this.#left = contentBytes;
    this.#padding = paddingBytes(contentBytes);
    if (contentBytes === 0) this.#onConsumed();
  }

  #onMapBlock(bytes: Uint8Array): void {
    const sparse = this.#sparse;
    if (sparse === null) throw damagedMap("no member, need one");
    const block = String.fromCharCode(...bytes);
    sparse.blocks.push(block);
    sparse.lines += block.split("\n").length - 1;
    const count = Number(sparse.blocks[0]?.split("\n", 1)[0]);
    if (!(count <= MAX_SPARSE_EXTENTS + 1)) {
      throw damagedMap(`${count} extents, need at most ${MAX_SPARSE_EXTENTS}`);
    }
    const mapBytes = sparse.blocks.length * BLOCK_BYTES;
    const wantedLines = 1 + 2 * count;
    if (sparse.lines < wantedLines) {
      if (mapBytes > MAX_SPARSE_MAP_BYTES) throw damagedMap("no end, need a shorter map");
      return;
    }
    const lines = sparse.blocks.join("").split("\n", wantedLines);
    const text = lines.map((line) => `${line}\n`).join("");
    const map = parseSparseMap(text, sparse.entry.sizeBytes);
    const dataBytes = sparseDataBytes(map);
    if (mapBytes + dataBytes !== sparse.storedBytes) {
      throw damagedMap(`${sparse.storedBytes} bytes, need ${mapBytes + dataBytes}`);
    }
    this.#sparse = null;
    this.#begin(sparse.entry, { sparse: map, xattrs: sparse.xattrs }, dataBytes);
  }
}

function linkTarget(type: EntryType, linkname: Uint8Array): Uint8Array | null {
  if (type === "hardlink") return memberPath(linkname, "file");
  return type === "symlink" ? linkname.slice() : null;
}
