// Codec of `array.json`, the file that makes a directory an array directory. No I/O.
//
// Fields, in this order (the checksum covers the JSON text of all others, without spaces):
//   format       "agent-array": not an array otherwise
//   version      1: another program version may have laid it out differently
//   uuid         of the array: boards and labels of other arrays are told apart by it
//   recordBytes, tracksPerCylinder, trackBytes   the cut of the devices; fixed in version 1
//   devices      [{ name, sizeBytes }]; names are v0, v1, …
//   boards, slotsPerBoard, memory   the system memory
//   checksum     CRC-32 as 8 hexadecimal digits: an edited or half-written file is refused

import { crc32 } from "../transport/ground/crc32.ts";
import { AgentError } from "../transport/ground/error.ts";
import { type ArrayGeometry, makeGeometry } from "./geometry.ts";
import {
  MAX_GEOMETRY_FILE_BYTES,
  RECORD_BYTES,
  TRACK_BYTES,
  TRACKS_PER_CYLINDER,
} from "./limits.ts";

export const GEOMETRY_FORMAT = "agent-array";
export const GEOMETRY_VERSION = 1;

/** The file's bytes for a geometry. */
export function encodeGeometry(geometry: ArrayGeometry): Uint8Array {
  const body = toBody(geometry);
  const text = JSON.stringify({ ...body, checksum: checksumOf(body) }, null, 2) + "\n";
  return new TextEncoder().encode(text);
}

/**
 * Reads a geometry back.
 * @param path names the file in errors
 * @throws AgentError `damaged` (no JSON, wrong field, wrong checksum) | `unsupported` (version)
 */
export function decodeGeometry(bytes: Uint8Array, path: string): ArrayGeometry {
  if (bytes.length > MAX_GEOMETRY_FILE_BYTES) {
    throw refuse(path, `${bytes.length} bytes`, `at most ${MAX_GEOMETRY_FILE_BYTES}`);
  }
  const fields = parseObject(bytes, path);
  if (fields.format !== GEOMETRY_FORMAT) {
    throw refuse(path, `format ${show(fields.format)}`, `"${GEOMETRY_FORMAT}"`);
  }
  if (fields.version !== GEOMETRY_VERSION) {
    throw new AgentError(
      "unsupported",
      `Cannot open array "${path}": format version ${show(fields.version)}, ` +
        `need ${GEOMETRY_VERSION}`,
      { hint: "Use the program version that created the array." },
    );
  }
  const geometry = toGeometry(fields, path);
  const body = toBody(geometry);
  for (const [key, value] of Object.entries(body)) {
    if (JSON.stringify(fields[key]) !== JSON.stringify(value)) {
      throw refuse(path, `${key} ${show(fields[key])}`, show(value));
    }
  }
  if (fields.checksum !== checksumOf(body)) {
    throw refuse(path, `checksum ${show(fields.checksum)}`, `"${checksumOf(body)}"`);
  }
  return geometry;
}

function toBody(geometry: ArrayGeometry): Record<string, unknown> {
  return {
    format: GEOMETRY_FORMAT,
    version: GEOMETRY_VERSION,
    uuid: geometry.uuid,
    recordBytes: RECORD_BYTES,
    trackBytes: TRACK_BYTES,
    tracksPerCylinder: TRACKS_PER_CYLINDER,
    devices: geometry.devices.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    boards: geometry.boards,
    slotsPerBoard: geometry.slotsPerBoard,
    memory: geometry.memory,
  };
}

function toGeometry(fields: Record<string, unknown>, path: string): ArrayGeometry {
  const { uuid, devices, boards, slotsPerBoard, memory } = fields;
  if (typeof uuid !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) {
    throw refuse(path, `uuid ${show(uuid)}`, "a UUID in lower case");
  }
  if (typeof memory !== "string" || memory === "" || memory.includes("\0")) {
    throw refuse(path, `memory ${show(memory)}`, "a path");
  }
  if (!Array.isArray(devices)) throw refuse(path, `devices ${show(devices)}`, "a list");
  if (typeof boards !== "number" || typeof slotsPerBoard !== "number") {
    throw refuse(path, `boards ${show(boards)}, slotsPerBoard ${show(slotsPerBoard)}`, "numbers");
  }
  const deviceBytes = devices.map((device: unknown) => {
    const size = isObject(device) ? device.sizeBytes : undefined;
    if (typeof size !== "number") throw refuse(path, `device ${show(device)}`, "a sizeBytes");
    return size;
  });
  try {
    return makeGeometry({ uuid, deviceBytes, boards, slotsPerBoard, memory });
  } catch (error) {
    if (error instanceof AgentError) throw refuse(path, error.message, "values within the limits");
    throw error;
  }
}

function parseObject(bytes: Uint8Array, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refuse(path, "no JSON text", "the array.json that the array was created with");
  }
  if (!isObject(value)) throw refuse(path, show(value), "an object");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checksumOf(body: Record<string, unknown>): string {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return crc32(bytes).toString(16).padStart(8, "0");
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 80);
}

function refuse(path: string, found: string, wanted: string): AgentError {
  return new AgentError("damaged", `Cannot open array "${path}": ${found}, need ${wanted}`, {
    hint: "Restore array.json from a copy, or create the array anew.",
  });
}
