// Records as bytes, and documents: round trips, and garbage, which must be an AgentError `damaged`.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  FRAME_TAR_BYTES_MAX,
  LINK_DOCUMENT_BYTES_MAX,
  LINK_MESSAGE_BYTES_MAX,
} from "../../../../agent/job/limits.ts";
import {
  decodeDocument,
  encodeDocument,
  type LinkDocument,
} from "../../../../agent/job/link_document.ts";
import {
  dataRecordBytes,
  decodeDataRecord,
  decodeHeader,
  decodeRestoreRecord,
  encodeDataRecord,
  encodeHeader,
  encodeRestoreRecord,
  HEADER_BYTES,
  restoreRecordBytes,
} from "../../../../agent/job/link_frame.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { dataRecord, restoreRecord } from "./link_bed.ts";

const u32 = fc.nat(0xffff_ffff);
const tarBytes = fc.nat(FRAME_TAR_BYTES_MAX);
const someBytes = fc.uint8Array({ maxLength: 64 });
const dataRecords = fc.record({
  sequence: u32,
  frame: someBytes,
  tarBytes,
  rows: someBytes,
  rowCount: u32,
  contentBytes: fc.maxSafeNat(),
});
const restoreRecords = tarBytes.chain((size) => {
  const piece = fc.nat(size).chain((offset) =>
    fc.record({ offset: fc.constant(offset), length: fc.nat(size - offset) })
  );
  return fc.record({
    sequence: u32,
    frame: someBytes,
    tarBytes: fc.constant(size),
    pieces: fc.array(piece, { maxLength: 5 }),
  });
});

/** True when `decode` gives a value or `damaged`; anything else it throws goes on. */
function survives(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error.code === "damaged";
  }
  return true;
}

function encodedData(record: Parameters<typeof encodeDataRecord>[0]): Uint8Array {
  const bytes = new Uint8Array(dataRecordBytes(record));
  encodeDataRecord(record, bytes);
  return bytes;
}

function encodedRestore(record: Parameters<typeof encodeRestoreRecord>[0]): Uint8Array {
  const bytes = new Uint8Array(restoreRecordBytes(record));
  encodeRestoreRecord(record, bytes);
  return bytes;
}

describe("records", () => {
  test("data records round-trip, header and all", () => {
    fc.assert(fc.property(dataRecords, (record) => {
      const bytes = encodedData(record);
      const head = { kind: "data", length: bytes.length - HEADER_BYTES } as const;
      expect(decodeHeader(bytes)).toEqual(head);
      expect(decodeDataRecord(bytes.subarray(HEADER_BYTES))).toEqual(record);
    }));
  });

  test("restore records round-trip, header and all", () => {
    fc.assert(fc.property(restoreRecords, (record) => {
      const bytes = encodedRestore(record);
      expect(decodeHeader(bytes).kind).toBe("restore");
      expect(decodeRestoreRecord(bytes.subarray(HEADER_BYTES))).toEqual(record);
    }));
  });

  test("the layout is the one of the file's header", () => {
    const record = dataRecord(3, { rows: Uint8Array.of(4, 5) });
    expect([...encodedData(record)]).toEqual([
      ...[2, 0, 0, 0, 29, 0, 0, 0],
      ...[3, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0],
      ...[100, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 2, 3, 4, 5],
    ]);
  });

  test("no truncation, byte flip or garbage makes more than damaged", () => {
    const valid = fc.oneof(dataRecords.map(encodedData), restoreRecords.map(encodedRestore))
      .map((bytes) => bytes.subarray(HEADER_BYTES));
    const flips = fc.tuple(valid, fc.nat(), fc.nat(255), fc.nat()).map(
      ([bytes, at, value, cut]) => {
        const changed = bytes.slice(0, cut % (bytes.length + 1));
        if (changed.length > 0) changed[at % changed.length] = value;
        return changed;
      },
    );
    fc.assert(
      fc.property(
        fc.oneof(flips, someBytes),
        (bytes) =>
          [decodeDataRecord, decodeRestoreRecord].every((decode) => survives(decode, bytes)),
      ),
    );
    const headers = fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES });
    fc.assert(fc.property(headers, (bytes) => survives(decodeHeader, bytes)));
  });

  test("every number is checked before it is used", () => {
    const head = new Uint8Array(HEADER_BYTES);
    for (
      const [kind, max] of [
        ["document", LINK_DOCUMENT_BYTES_MAX],
        ["data", LINK_MESSAGE_BYTES_MAX],
        ["restore", LINK_MESSAGE_BYTES_MAX],
      ] as const
    ) {
      encodeHeader(kind, max, head);
      expect(decodeHeader(head)).toEqual({ kind, length: max });
      encodeHeader(kind, max + 1, head);
      expect(() => decodeHeader(head)).toThrow(`at most ${max}`);
    }
    const large = { tarBytes: FRAME_TAR_BYTES_MAX + 1 };
    const payload = (bytes: Uint8Array) => bytes.subarray(HEADER_BYTES);
    const data = (change: Parameters<typeof dataRecord>[1]) =>
      decodeDataRecord(payload(encodedData(dataRecord(0, change))));
    const restore = (change: Parameters<typeof restoreRecord>[1]) =>
      decodeRestoreRecord(payload(encodedRestore(restoreRecord(0, change))));
    expect(() => data(large)).toThrow("tar bytes");
    expect(() => data({ contentBytes: 2 ** 60 })).toThrow("content bytes");
    expect(() => restore(large)).toThrow("tar bytes");
    expect(() => restore({ pieces: [{ offset: 1000, length: 25 }] })).toThrow("a piece that ends");
    const lying = payload(encodedRestore(restoreRecord(0)));
    new DataView(lying.buffer, lying.byteOffset).setUint32(8, 0xffff_ffff, true);
    expect(() => decodeRestoreRecord(lying)).toThrow("do not add up");
  });
});

describe("documents", () => {
  const step = { figure: "4A", side: "client", step: "160", call: "x", atMs: 1.5, skipped: false };
  const documents = [
    { type: "cursor", received: 16, synced: 0 },
    { type: "started", backup: "b" },
    { type: "trace", steps: [step] },
    { type: "warning", code: "vanished", message: "m", path: "/w==", incomplete: false },
    { type: "progress", phase: "reading", files: 1, bytes: 2, totalFiles: null, totalBytes: 9 },
    { type: "error", error: { code: "busy", message: "m", hint: "h" } },
  ];

  test("round-trip", () => {
    for (const document of documents) {
      const bytes = new TextEncoder().encode(JSON.stringify(document));
      const decoded: LinkDocument = decodeDocument(bytes);
      expect<unknown>(decoded).toEqual(document);
      expect(encodeDocument(decoded)).toEqual(bytes);
    }
  });

  test("a wrong key is damaged and named; unknown keys are dropped", () => {
    const decode = (value: unknown) =>
      decodeDocument(new TextEncoder().encode(JSON.stringify(value)));
    expect(() => decode({ type: "cursor", received: -1, synced: 0 })).toThrow('"received"');
    expect(() => decode({ type: "cursor", received: 0, synced: 1.5 })).toThrow('"synced"');
    expect(() => decode({ type: "started", backup: "" })).toThrow('"backup"');
    expect(() => decode({ ...documents[3], path: "no base64!" })).toThrow('"path"');
    expect<unknown>(decode({ type: "started", backup: "b", more: 2 })).toEqual({
      type: "started",
      backup: "b",
    });
  });

  test("garbage never becomes anything but damaged, however long or deep", () => {
    const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const keys = fc.constantFrom("type", "received", "steps", "path", "error", "status", "files");
    const mutated = fc.tuple(fc.constantFrom(...documents), keys, fc.jsonValue())
      .map(([document, key, value]) => encode({ ...document, [key]: value }));
    const bodies = fc.oneof(someBytes, fc.jsonValue().map(encode), mutated);
    fc.assert(fc.property(bodies, (bytes) => survives(decodeDocument, bytes)));
    const room = LINK_DOCUMENT_BYTES_MAX - 200;
    const long = {
      type: "warning",
      code: "",
      message: "",
      path: "A".repeat(room),
      incomplete: true,
    };
    expect(survives(decodeDocument, encode(long))).toBe(true);
    expect(survives(decodeDocument, new TextEncoder().encode("[".repeat(room)))).toBe(true);
  });
});
