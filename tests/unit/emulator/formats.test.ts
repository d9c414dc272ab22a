// The stored formats of the array, frozen by golden files, and what is refused.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { emptySlotHeaders, emptyState } from "../../../emulator/board_file.ts";
import { checkBoardHeader, encodeBoardHeader } from "../../../emulator/board_header.ts";
import { boardLayout } from "../../../emulator/board_layout.ts";
import { decodeDeviceLabel, encodeDeviceLabel } from "../../../emulator/device_label.ts";
import { makeGeometry } from "../../../emulator/geometry.ts";
import { decodeGeometry, encodeGeometry } from "../../../emulator/geometry_file.ts";
import { checkPendingHeader, encodePendingHeader } from "../../../emulator/pending_header.ts";
import { crc32 } from "../../../transport/ground/crc32.ts";
import { AgentError } from "../../../transport/ground/error.ts";

const geometry = makeGeometry({
  uuid: "00112233-4455-4677-8899-aabbccddeeff",
  deviceBytes: [3 * 2 ** 20, 5 * 2 ** 20],
  boards: 2,
  slotsPerBoard: 3,
  memory: "memory",
});
const label = { uuid: geometry.uuid, index: 1, sizeBytes: 5 * 2 ** 20 };
const identity = { uuid: geometry.uuid, layout: boardLayout(geometry, 1) };

function golden(name: string): string {
  return readFileSync(new URL(`../../golden/emulator/${name}`, import.meta.url).pathname, "utf8");
}

/** Rows of 16 bytes that are not all zero, as "offset: hex". */
function dump(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    if (row.every((byte) => byte === 0)) continue;
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    rows.push(`${at.toString(16).padStart(6, "0")}: ${hex}`);
  }
  return rows.join("\n") + "\n";
}

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "accepted";
}

/** A copy with one 32-bit word changed and the checksum behind `covered` bytes made right again. */
function patched(bytes: Uint8Array, at: number, value: number, covered: number): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(at, value, true);
  view.setUint32(covered, crc32(copy.subarray(0, covered)), true);
  return copy;
}

describe("golden files", () => {
  test("encodeGeometry() writes what version 1 wrote", () => {
    expect(new TextDecoder().decode(encodeGeometry(geometry))).toBe(golden("array.json"));
    expect(decodeGeometry(new TextEncoder().encode(golden("array.json")), "x")).toEqual(geometry);
  });

  test("device label, board header and empty tables are as frozen", () => {
    expect(dump(encodeDeviceLabel(label))).toBe(golden("device_label.hex"));
    expect(dump(encodeBoardHeader(identity, "replaced"))).toBe(golden("board_header.hex"));
    expect(dump(encodePendingHeader(geometry.uuid))).toBe(golden("pending_header.hex"));
    expect(dump(emptyState(identity.layout))).toBe(golden("board_state.hex"));
    expect(dump(emptySlotHeaders(identity.layout))).toBe(golden("slot_headers.hex"));
  });
});

describe("decodeGeometry()", () => {
  const text = golden("array.json");
  const decode = (changed: string) => decodeGeometry(new TextEncoder().encode(changed), "x");

  test("refuses a version from the future as unsupported", () => {
    expect(refusal(() => decode(text.replace('"version": 1', '"version": 2')))).toBe("unsupported");
  });

  test("refuses everything else that is not as it was written as damaged", () => {
    for (
      const changed of [
        "",
        "[]",
        text.slice(0, -20),
        text.replace("agent-array", "other"),
        text.replace('"boards": 2', '"boards": 3'),
        text.replace('"boards": 2', '"boards": "2"'),
        text.replace('"trackBytes": 65536', '"trackBytes": 32768'),
        text.replace('"v1"', '"v7"'),
        text.replace("5242880", "5242881"),
        text.replace("0011", "0012"),
        text.replace("memory", "../memory"),
        " ".repeat(70_000) + text,
      ]
    ) expect([changed, refusal(() => decode(changed))]).toEqual([changed, "damaged"]);
  });
});

describe("decodeDeviceLabel()", () => {
  test("gives back what was encoded", () => {
    expect(decodeDeviceLabel(encodeDeviceLabel(label), "x")).toEqual(label);
  });

  test("refuses other kinds, versions, lengths and flipped bits", () => {
    const bytes = encodeDeviceLabel(label);
    const flipped = bytes.slice();
    flipped[33] = 1;
    expect(refusal(() => decodeDeviceLabel(new Uint8Array(4096), "x"))).toBe("damaged");
    expect(refusal(() => decodeDeviceLabel(bytes.subarray(0, 100), "x"))).toBe("damaged");
    expect(refusal(() => decodeDeviceLabel(flipped, "x"))).toBe("damaged");
    expect(refusal(() => decodeDeviceLabel(patched(bytes, 8, 2, 40), "x"))).toBe("unsupported");
  });
});

describe("checkBoardHeader()", () => {
  const bytes = encodeBoardHeader(identity, "created");

  test("tells how the board came to be", () => {
    expect(checkBoardHeader(bytes, identity, "x")).toBe("created");
    const replaced = encodeBoardHeader(identity, "replaced");
    expect(checkBoardHeader(replaced, identity, "x")).toBe("replaced");
  });

  test("refuses boards of other arrays, places, layouts and versions", () => {
    const check = (changed: Uint8Array) => refusal(() => checkBoardHeader(changed, identity, "x"));
    expect(check(new Uint8Array(4096))).toBe("damaged");
    expect(check(bytes.subarray(0, 64))).toBe("damaged");
    expect(check(patched(bytes, 8, 3, 60))).toBe("unsupported");
    for (const at of [16, 32, 36, 40, 44, 48, 52]) {
      expect([at, check(patched(bytes, at, 99, 60))]).toEqual([at, "mismatch"]);
    }
    const flipped = bytes.slice();
    flipped[40] = 9;
    expect(check(flipped)).toBe("damaged");
    const behind = bytes.slice();
    behind[3000] = 1;
    expect(check(behind)).toBe("damaged");
  });
});

describe("checkPendingHeader()", () => {
  const bytes = encodePendingHeader(geometry.uuid);
  const check = (changed: Uint8Array) =>
    refusal(() => checkPendingHeader(changed, geometry.uuid, "x"));

  test("refuses other kinds, versions, arrays, lengths and flipped bits", () => {
    expect(check(bytes)).toBe("accepted");
    expect(check(new Uint8Array(4096))).toBe("damaged");
    expect(check(bytes.subarray(0, 64))).toBe("damaged");
    expect(check(patched(bytes, 8, 2, 32))).toBe("unsupported");
    expect(check(patched(bytes, 16, 99, 32))).toBe("mismatch");
    for (const at of [12, 20, 33, 36, 4095]) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect([at, check(flipped)]).toEqual([at, "damaged"]);
    }
  });
});
