// What a peer may send in a document, and that whatever we send is within it.

import { describe, expect, test } from "bun:test";
import {
  CALL_LENGTH_MAX,
  CODE_LENGTH_MAX,
  DETAIL_LENGTH_MAX,
  LINK_DOCUMENT_BYTES_MAX,
  REDIRECTS_MAX,
  SOURCE_ITEMS_MAX,
  TEXT_LENGTH_MAX,
  TRACE_STEPS_MAX,
  WARNING_PATH_BYTES_MAX,
} from "../../../../agent/job/limits.ts";
import { decodeDocument, type LinkDocument } from "../../../../agent/job/link_document.ts";
import { HEADER_BYTES } from "../../../../agent/job/link_frame.ts";
import { outgoingDocument } from "../../../../agent/job/outgoing.ts";
import { MAX_PATH_BYTES } from "../../../../agent/tar/mod.ts";

const LONG = `Cannot open "${"p".repeat(3 * TEXT_LENGTH_MAX)}": found ENOENT`;
const STEP = {
  figure: "5",
  side: "client",
  step: "196A",
  call: "recv(3)",
  skipped: false,
} as const;
const ERROR = { code: "failed", message: "m" } as const;
const WARNING = {
  type: "warning",
  code: "unreadable",
  message: "m",
  path: null,
  incomplete: true,
} as const;
const FALLBACK = { reason: "connection_lost", detail: "d" } as const;
const RESTORE = {
  type: "restore-filesystem",
  channel: "network",
  fallback: null,
  mayFallBack: true,
  target: "/t",
  overwrite: "refuse",
  redirects: [],
  totalFiles: null,
  totalBytes: null,
} as const;

const steps = (count: number) => Array.from({ length: count }, (_, atMs) => ({ ...STEP, atMs }));

/** What the peer has of it. */
function received(document: LinkDocument): LinkDocument {
  const { totalBytes, fill } = outgoingDocument(document);
  const message = new Uint8Array(totalBytes);
  fill(message);
  return decodeDocument(message.subarray(HEADER_BYTES));
}

/** The text without its middle. */
function expectCut(text: string, max: number): void {
  expect(text).toHaveLength(max);
  expect([text.slice(0, 13), text.slice(-14)]).toEqual([LONG.slice(0, 13), LONG.slice(-14)]);
  expect(text).toContain(" […] ");
}

describe("what we send", () => {
  test("is taken as it is up to the limits", () => {
    const path = new Uint8Array(WARNING_PATH_BYTES_MAX).toBase64();
    const message = "m".repeat(TEXT_LENGTH_MAX);
    const member = new Uint8Array(MAX_PATH_BYTES - 1).toBase64();
    const documents: readonly LinkDocument[] = [
      { ...WARNING, message, path },
      { type: "error", error: { ...ERROR, message, hint: message } },
      { type: "trace", steps: steps(TRACE_STEPS_MAX) },
      { type: "fall-back", received: 0, ...FALLBACK, detail: "d".repeat(DETAIL_LENGTH_MAX) },
      { ...RESTORE, redirects: [{ member, writeAs: member }] },
    ];
    for (const document of documents) expect(received(document)).toEqual(document);
  });

  test("is cut in the middle beyond them, where it has no length of its own", () => {
    const error = { ...ERROR, message: LONG, hint: LONG };
    for (const type of ["error", "wal-refused"] as const) {
      const said = received({ type, error });
      if (said.type !== type) throw new Error(said.type);
      for (const text of [said.error.message, said.error.hint ?? ""]) {
        expectCut(text, TEXT_LENGTH_MAX);
      }
    }
    const path = new Uint8Array(2 * WARNING_PATH_BYTES_MAX).toBase64();
    const warning = received({ ...WARNING, message: LONG, path });
    if (warning.type !== "warning") throw new Error(warning.type);
    expectCut(warning.message, TEXT_LENGTH_MAX);
    expect(Uint8Array.fromBase64(warning.path ?? "")).toHaveLength(WARNING_PATH_BYTES_MAX);
    const fallback = { ...FALLBACK, detail: LONG };
    const lost = received({ type: "storage-lost", ...fallback });
    if (lost.type !== "storage-lost") throw new Error(lost.type);
    expectCut(lost.detail, DETAIL_LENGTH_MAX);
    const restore = received({ ...RESTORE, redirects: [], fallback });
    if (restore.type !== "restore-filesystem") throw new Error(restore.type);
    expectCut(restore.fallback?.detail ?? "", DETAIL_LENGTH_MAX);
  });

  test("has the first steps of a trace, and says that others are missing", () => {
    const long = [{ ...STEP, atMs: 0, call: LONG }, ...steps(2 * TRACE_STEPS_MAX)];
    const trace = received({ type: "trace", steps: long });
    if (trace.type !== "trace") throw new Error(trace.type);
    expect(trace.steps).toHaveLength(TRACE_STEPS_MAX);
    expectCut(trace.steps[0]?.call ?? "", CALL_LENGTH_MAX);
    expect(trace.steps[1]).toEqual({ ...STEP, atMs: 0 });
    expect(trace.steps.at(-1)).toMatchObject({ skipped: true, step: "" });
  });
});

describe("what a peer sends", () => {
  const text = (length: number) => "x".repeat(length);
  const path = new Uint8Array(WARNING_PATH_BYTES_MAX + 3).toBase64();
  const tooMuch: readonly (readonly [key: string, document: object])[] = [
    ["steps", { type: "trace", steps: steps(TRACE_STEPS_MAX + 1) }],
    ["steps.0.call", { type: "trace", steps: [{ ...STEP, atMs: 0, call: text(9000) }] }],
    ["steps.0.step", { type: "trace", steps: [{ ...STEP, atMs: 0, step: text(33) }] }],
    ["message", { ...WARNING, message: text(TEXT_LENGTH_MAX + 1) }],
    ["code", { ...WARNING, code: text(CODE_LENGTH_MAX + 1) }],
    ["path", { ...WARNING, path }],
    ["error.message", { type: "error", error: { ...ERROR, message: text(TEXT_LENGTH_MAX + 1) } }],
    ["error.hint", { type: "error", error: { ...ERROR, hint: text(TEXT_LENGTH_MAX + 1) } }],
    ["redirects", {
      ...RESTORE,
      redirects: Array.from({ length: REDIRECTS_MAX + 1 }, () => ({ member: "", writeAs: "" })),
    }],
    ["verdicts", { type: "verdicts", index: 0, verdicts: "A".repeat(4_000_000) }],
    ["openMember.row", {
      type: "cut-offer",
      openMember: { row: "A".repeat(400_000), tarOffset: 0 },
    }],
    ["exclude", {
      ...RESTORE,
      type: "backup-filesystem",
      paths: ["/p"],
      exclude: Array.from({ length: SOURCE_ITEMS_MAX + 1 }, () => "x"),
    }],
    ["backup", { type: "result", backup: text(70_000), status: "ok", files: 0, bytes: 0 }],
    ["token", { type: "stream-port", host: 1, port: 1, token: text(8).replaceAll("x", "0") }],
  ];
  for (const [key, document] of tooMuch) {
    test(`is damaged when its "${key}" is too large, in a document that may be sent`, () => {
      const bytes = new TextEncoder().encode(JSON.stringify(document));
      expect(bytes.length).toBeLessThanOrEqual(LINK_DOCUMENT_BYTES_MAX);
      expect(() => decodeDocument(bytes)).toThrow(`"${key}"`);
    });
  }
});
