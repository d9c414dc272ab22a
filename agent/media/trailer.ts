// The trailer: a skippable frame before the seek table with what is known only when a backup is
// complete. A media file without it was never finished.
//
//   offset bytes
//   0      8     "LFATRAIL"
//   8      2     format version: 1
//   10     2     0
//   12     4     n: JSON bytes
//   16     n     the trailer as JSON (UTF-8), readable with `strings`
//   16+n   4     CRC-32 of everything before
//
// Pure: no I/O.

import { AgentError } from "../../transport/ground/error.ts";
import { crc32 } from "../../transport/ground/crc32.ts";
import { MAX_SKIPPED_LISTED, MAX_SKIPPED_TEXT, MAX_TRAILER_BYTES } from "./limits.ts";
import { damagedFrame, decodeSkippable, encodeSkippable } from "./skippable_frame.ts";

const MAGIC = new TextEncoder().encode("LFATRAIL");
const VERSION = 1;
const HEADER_BYTES = 16;

export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

/** How a backup ended, as its job says. */
export interface BackupResult {
  readonly status: "ok" | "incomplete";
  readonly files: number;
  /** Source content bytes. */
  readonly bytes: number;
  readonly seconds: number;
  readonly channels: {
    readonly network: { readonly bytes: number };
    readonly storage: { readonly bytes: number };
  };
  readonly fallback: string | null;
  /** All skipped paths or the first of them. */
  readonly skipped: readonly Skipped[];
  /** How many were skipped. */
  readonly skippedCount: number;
}

export interface MediaTrailer extends BackupResult {
  /** Place in the order of publication, 1, 2, 3, …: what `latest` means after a rebuild, too. */
  readonly number: number;
  /** Checks: what the media file must hold. */
  readonly frames: number;
  readonly rows: number;
  readonly tarBytes: number;
}

/** Encodes the trailer as one whole skippable frame; cuts the list of skipped paths. */
export function encodeTrailer(trailer: MediaTrailer): Uint8Array<ArrayBuffer> {
  const skipped = trailer.skipped.slice(0, MAX_SKIPPED_LISTED).map(({ path, reason }) => ({
    path: path.slice(0, MAX_SKIPPED_TEXT),
    reason: reason.slice(0, MAX_SKIPPED_TEXT),
  }));
  const json = new TextEncoder().encode(JSON.stringify({ ...trailer, skipped }));
  const payload = new Uint8Array(HEADER_BYTES + json.length + 4);
  const view = new DataView(payload.buffer);
  payload.set(MAGIC, 0);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, json.length, true);
  payload.set(json, HEADER_BYTES);
  const end = HEADER_BYTES + json.length;
  view.setUint32(end, crc32(payload.subarray(0, end)), true);
  return encodeSkippable("trailer", payload);
}

/**
 * Decodes a whole trailer frame.
 * @throws AgentError `damaged`
 */
export function decodeTrailer(frame: Uint8Array): MediaTrailer {
  const payload = decodeSkippable("trailer", frame);
  if (payload.length < HEADER_BYTES + 4 || payload.length > MAX_TRAILER_BYTES) {
    throw damagedFrame("trailer", `${payload.length} bytes`, `20 to ${MAX_TRAILER_BYTES}`);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (MAGIC.some((byte, at) => payload[at] !== byte)) {
    throw damagedFrame("trailer", "another magic", "LFATRAIL");
  }
  const version = view.getUint16(8, true);
  if (version !== VERSION) throw damagedFrame("trailer", `version ${version}`, `${VERSION}`);
  const end = payload.length - 4;
  if (view.getUint32(12, true) !== end - HEADER_BYTES) {
    throw damagedFrame("trailer", `${view.getUint32(12, true)} bytes`, `${end - HEADER_BYTES}`);
  }
  if (crc32(payload.subarray(0, end)) !== view.getUint32(end, true)) {
    throw damagedFrame("trailer", "a wrong checksum", "the one of its content");
  }
  const text = new TextDecoder().decode(payload.subarray(HEADER_BYTES, end));
  try {
    return readTrailer(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw damagedFrame("trailer", String(cause), "JSON");
  }
}

function readTrailer(value: unknown): MediaTrailer {
  const fields = readObject(value, "its content");
  const channels = readObject(fields["channels"], "channels");
  const channelBytes = (name: "network" | "storage") => ({
    bytes: readCount(readObject(channels[name], name), "bytes"),
  });
  const { status, fallback, skipped, seconds } = fields;
  if (status !== "ok" && status !== "incomplete") {
    throw damagedFrame("trailer", `status ${String(status)}`, "ok or incomplete");
  }
  if (fallback !== null && typeof fallback !== "string") {
    throw damagedFrame("trailer", "a fallback that is no text", "text or null");
  }
  if (typeof seconds !== "number" || !(seconds >= 0)) {
    throw damagedFrame("trailer", `seconds ${String(seconds)}`, "0 or more");
  }
  if (!Array.isArray(skipped) || skipped.length > MAX_SKIPPED_LISTED) {
    throw damagedFrame("trailer", "no list of skipped paths", `up to ${MAX_SKIPPED_LISTED}`);
  }
  return {
    number: readCount(fields, "number"),
    status,
    files: readCount(fields, "files"),
    bytes: readCount(fields, "bytes"),
    seconds,
    channels: { network: channelBytes("network"), storage: channelBytes("storage") },
    fallback,
    skipped: skipped.map(readSkipped),
    skippedCount: readCount(fields, "skippedCount"),
    frames: readCount(fields, "frames"),
    rows: readCount(fields, "rows"),
    tarBytes: readCount(fields, "tarBytes"),
  };
}

function readSkipped(value: unknown): Skipped {
  const { path, reason } = readObject(value, "skipped");
  if (typeof path !== "string" || typeof reason !== "string") {
    throw damagedFrame("trailer", "a skipped path that is no text", "text");
  }
  return { path, reason };
}

function readObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) {
    throw damagedFrame("trailer", `no ${what}`, "an object");
  }
  return Object.fromEntries(Object.entries(value));
}

function readCount(fields: Record<string, unknown>, key: string): number {
  const value = fields[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw damagedFrame("trailer", `${key} ${String(value)}`, "a whole number");
  }
  return value;
}
