// Small backups for the tests of media, catalog and vault: tar members by hand (plain ustar, so
// that nothing of the product makes what the product is tested with), cut into frames and records.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry, EntryType, IndexRow } from "../../../../agent/entry.ts";
import { compressFrame, encodeIndexRows } from "../../../../agent/media/mod.ts";
import type { BackupResult, MediaLabel } from "../../../../agent/media/mod.ts";
import type { DataRecord } from "../../../../agent/record.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

export const { files, clock, random } = await currentRuntime();

const UTF8 = new TextEncoder();
const BLOCK = 512;

export interface Member {
  readonly path: string | Uint8Array;
  readonly type?: EntryType;
  readonly content?: Uint8Array | string;
  readonly target?: string;
  readonly mode?: number;
  readonly mtimeNs?: bigint;
}

export interface Archive {
  readonly tar: Uint8Array;
  readonly rows: readonly IndexRow[];
}

/** Runs `body` with a temporary folder that is gone afterwards. */
export async function withFolder(body: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "vault-test-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? UTF8.encode(value) : value;
}

export function fileEntry(path: string | Uint8Array, fields: Partial<Entry> = {}): Entry {
  return {
    path: bytesOf(path),
    type: "file",
    mode: 0o644,
    uid: 1000,
    gid: 100,
    sizeBytes: 0,
    mtimeNs: 1_700_000_000_123_456_789n,
    ctimeNs: 1_700_000_001_000_000_001n,
    inode: 42n,
    target: null,
    rdev: null,
    ...fields,
  };
}

/** Puts members into a tar stream with its two closing zero blocks. */
export function makeArchive(members: readonly Member[]): Archive {
  const parts: Uint8Array[] = [];
  const rows: IndexRow[] = [];
  let tarOffset = 0;
  for (const member of members) {
    const content = bytesOf(member.content ?? "");
    const entry = toEntry(member, content.length);
    const padded = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
    padded.set(content);
    const tarBytes = BLOCK + padded.length;
    rows.push({ entry, tarOffset, tarBytes });
    parts.push(tarHeader(entry, content.length), padded);
    tarOffset += tarBytes;
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return { tar: concatenate(parts), rows };
}

/** Cuts an archive into records of `frameBytes` of tar each. */
export function makeRecords(archive: Archive, frameBytes = 4096): DataRecord[] {
  const records: DataRecord[] = [];
  for (let offset = 0; offset < archive.tar.length; offset += frameBytes) {
    const tar = archive.tar.slice(offset, offset + frameBytes);
    const rows = archive.rows.filter((row) =>
      row.tarOffset >= offset && row.tarOffset < offset + tar.length
    );
    records.push({
      sequence: records.length,
      frame: compressFrame(tar, 1),
      tarBytes: tar.length,
      rows: encodeIndexRows(rows),
      rowCount: rows.length,
      contentBytes: 0,
    });
  }
  return records;
}

export function makeLabel(fields: Partial<MediaLabel> = {}): MediaLabel {
  return {
    backup: "20261122T171500Z-web01-x7k2",
    client: "web01",
    kind: "filesystem",
    database: null,
    level: "full",
    needs: [],
    paths: ["/srv"],
    ...EVERYTHING,
    startedMs: Date.UTC(2026, 10, 22, 17, 15, 0, 123),
    encryption: null,
    ...fields,
  };
}

export function makeResult(fields: Partial<BackupResult> = {}): BackupResult {
  return {
    status: "ok",
    files: 3,
    bytes: 1234,
    seconds: 1.5,
    channels: { network: { bytes: 10 }, storage: { bytes: 2000 } },
    fallback: null,
    skipped: [],
    skippedCount: 0,
    ...fields,
  };
}

/** A small tree with every kind of entry, a hard link, and files larger than one frame. */
export function sampleMembers(): Member[] {
  return [
    { path: "/srv", type: "directory", mode: 0o755 },
    { path: "/srv/a.txt", content: "alpha\n" },
    { path: "/srv/big.bin", content: pattern(20_000) },
    { path: "/srv/docs", type: "directory", mode: 0o700 },
    { path: "/srv/docs/first", content: "shared data" },
    { path: "/srv/docs/plan [v1].txt", content: "brackets" },
    { path: "/srv/empty", content: "" },
    { path: "/srv/link", type: "hardlink", target: "/srv/docs/first" },
    { path: "/srv/link2", type: "hardlink", target: "/srv/docs/first" },
    { path: "/srv/sym", type: "symlink", target: "a.txt", mode: 0o777 },
    { path: Uint8Array.from([...UTF8.encode("/srv/x"), 0xff, 0xfe]), content: "odd name" },
  ];
}

/** Bytes that do not repeat soon and compress a little. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 2654435761 >>> 13) & 0x7f);
}

function toEntry(member: Member, contentBytes: number): Entry {
  const type = member.type ?? "file";
  return fileEntry(member.path, {
    type,
    mode: member.mode ?? 0o644,
    sizeBytes: type === "file" ? contentBytes : 0,
    target: member.target === undefined ? null : bytesOf(member.target),
    ...(member.mtimeNs === undefined ? {} : { mtimeNs: member.mtimeNs }),
  });
}

const TYPE_FLAGS: Partial<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  directory: "5",
};

function tarHeader(entry: Entry, contentBytes: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (text: string | Uint8Array, at: number) => block.set(bytesOf(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(entry.path.subarray(1), 0);
  put(octal(entry.mode, 7), 100);
  put(octal(entry.uid, 7), 108);
  put(octal(entry.gid, 7), 116);
  put(octal(contentBytes, 11), 124);
  put(octal(Number(entry.mtimeNs / 1_000_000_000n), 11), 136);
  put("        ", 148);
  put(TYPE_FLAGS[entry.type] ?? "0", 156);
  if (entry.target !== null) {
    put(entry.type === "hardlink" ? entry.target.subarray(1) : entry.target, 157);
  }
  put("ustar\x0000", 257);
  put(`${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `, 148);
  return block;
}

/** Puts byte arrays end to end. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
