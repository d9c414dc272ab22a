// Messages of the connection flows, as bytes. All integers are little-endian.
//
//   zeros (90/120)           16 bytes of 0
//   descriptor (122/92, 100/126)   u32, never 0, so it differs from the zeros in its first 4 bytes
//   dynamic port (196/224)   u32, 1 to 65535
//   acknowledgement (226/196A)     u32 = 0x004b4f41 ("AOK")
//   mechanism tag (236/200)  u32, 1 = AF_STP, 2 = AF_INET, 3 = refused; 2 and 3 with a reason
//   document (hello or refusal, STG 138/160 and 236/200, port 170/140 and 210/238, verdict before
//                            214/246)
//                            two messages: u32 length n, then n bytes of UTF-8 JSON;
//                            n is at most MESSAGE_BYTES_MAX, every key is checked
//
// Everything that comes from the peer is checked here, before anything uses it.

import { AgentError } from "../ground/error.ts";
import { type FallbackReason, isFallbackReason } from "./fallback_reason.ts";
import {
  MESSAGE_BYTES_MAX,
  NAME_LENGTH_MAX,
  REASON_LENGTH_MAX,
  SECRET_BYTES,
  STREAMS_MAX,
  TOKEN_BYTES,
  ZEROS_BYTES,
} from "./limits.ts";
import type { EncryptionWord } from "./stp_encryption.ts";

export const ACKNOWLEDGEMENT = 0x004b4f41;
export type MechanismTag = "AF_STP" | "AF_INET" | "refused";

const TAG_VALUES: Readonly<Record<MechanismTag, number>> = { AF_STP: 1, AF_INET: 2, refused: 3 };

/** What each network connection exchanges after the figure's messages. */
export interface Hello {
  readonly type: "hello";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly job: string;
  /** Hex of TOKEN_BYTES. */
  readonly token: string;
  /** Name of the sender in its configuration. */
  readonly name: string;
  /** Network connections that the sender's configuration says a job has (1 or 2). */
  readonly connections: number;
  /** 1 sets a job up; a higher number continues one whose connections broke. */
  readonly connection: number;
  /** Parallel streams of the job, each with an STP connection; one when left out. */
  readonly streams?: number;
}

/** In place of a hello: why the peer does not take the connection. */
export interface Refusal {
  readonly type: "refused";
  /** True when the same may be taken later. */
  readonly busy: boolean;
  readonly reason: string;
}

/** Steps 138/160 and 236/200: which storage transport group, and whose job. */
export interface StgMessage {
  readonly type: "stg";
  readonly name: string;
  readonly uuid: string;
  readonly volumeUuids: readonly string[];
  readonly job: string;
  readonly token: string;
  /** Whether the server encrypts; left out by releases that cannot. */
  readonly encryption?: EncryptionWord;
}

/** Steps 170/140 and 210/238: where the client's STP socket listens, or why there is none. */
export type PortMessage =
  | {
    readonly type: "port";
    readonly host: number;
    readonly port: number;
    /** Hex; an STP connect without it is refused. */
    readonly token: string;
    /** Hex of SECRET_BYTES, when the connection is encrypted. */
    readonly secret?: string | undefined;
  }
  /** The code is null when the policy wants the network. */
  | NoPortMessage;

export interface NoPortMessage {
  readonly type: "no-port";
  readonly code: FallbackReason | null;
  readonly reason: string;
}

/** Fig. 5, after 212: whether the client has its storage connection, or why not. */
export type Verdict = { readonly type: "ready" } | NoPortMessage;

export function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function decodeU32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}

export function encodeZeros(): Uint8Array {
  return new Uint8Array(ZEROS_BYTES);
}

export function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export function encodeTag(tag: MechanismTag): Uint8Array {
  return encodeU32(TAG_VALUES[tag]);
}

/** @throws AgentError `reset` for anything but the three tags */
export function decodeTag(bytes: Uint8Array): MechanismTag {
  const value = decodeU32(bytes);
  if (value === TAG_VALUES.AF_STP) return "AF_STP";
  if (value === TAG_VALUES.AF_INET) return "AF_INET";
  if (value === TAG_VALUES.refused) return "refused";
  throw malformed(`a mechanism tag of ${value}`, "1 (AF_STP), 2 (AF_INET) or 3 (refused)");
}

/** @throws AgentError `reset` for a port outside 1 to 65535 */
export function decodePort(bytes: Uint8Array): number {
  const port = decodeU32(bytes);
  if (port < 1 || port > 65535) throw malformed(`port ${port}`, "1 to 65535");
  return port;
}

export type FlowDocument = Hello | Refusal | StgMessage | PortMessage | Verdict;

/** The two messages of a document: length, then body. */
export function encodeDocument(document: FlowDocument): Uint8Array[] {
  const bounded = document.type === "no-port" || document.type === "refused"
    ? { ...document, reason: document.reason.slice(0, REASON_LENGTH_MAX) }
    : document;
  const body = new TextEncoder().encode(JSON.stringify(bounded));
  return [encodeU32(body.length), body];
}

/** @throws AgentError `reset` for a length outside 1 to MESSAGE_BYTES_MAX */
export function decodeLength(bytes: Uint8Array): number {
  const length = decodeU32(bytes);
  if (length < 1 || length > MESSAGE_BYTES_MAX) {
    throw malformed(`a message of ${length} bytes`, `1 to ${MESSAGE_BYTES_MAX}`);
  }
  return length;
}

/** @throws AgentError `reset` for what is no hello, `auth` or `busy` with why it is refused */
export function decodeHello(body: Uint8Array): Hello {
  const fields = decodeObject(body, null);
  if (fields["type"] === "refused") {
    const reason = text(fields, "reason", REASON_LENGTH_MAX);
    const message = `Cannot set up the connection: the peer refused it: ${reason}`;
    if (fields["busy"] !== true) throw new AgentError("auth", message);
    throw new AgentError("busy", message, { hint: "Try again later, or see its `agent jobs`." });
  }
  if (fields["type"] !== "hello") throw malformed(`a ${shown(fields["type"])} message`, '"hello"');
  return {
    type: "hello",
    versionMin: integer(fields, "versionMin", 1, 0xffff),
    versionMax: integer(fields, "versionMax", 1, 0xffff),
    job: name(fields, "job"),
    token: hex(fields, "token", TOKEN_BYTES),
    name: name(fields, "name"),
    connections: integer(fields, "connections", 1, 2),
    // Earlier versions do not know these.
    connection: "connection" in fields ? integer(fields, "connection", 1, 0xffff_ffff) : 1,
    ...("streams" in fields ? { streams: integer(fields, "streams", 1, STREAMS_MAX) } : {}),
  };
}

/** @throws AgentError `reset` for what is no STG message */
export function decodeStgMessage(body: Uint8Array): StgMessage {
  const fields = decodeObject(body, "stg");
  const volumeUuids = fields["volumeUuids"];
  if (!Array.isArray(volumeUuids) || !volumeUuids.every((uuid) => typeof uuid === "string")) {
    throw malformed("no list of volume uuids", "one");
  }
  return {
    type: "stg",
    name: name(fields, "name"),
    uuid: name(fields, "uuid"),
    volumeUuids,
    job: name(fields, "job"),
    token: hex(fields, "token", TOKEN_BYTES),
    ...("encryption" in fields ? { encryption: encryptionWord(fields["encryption"]) } : {}),
  };
}

/** @throws AgentError `reset` for what is no port message */
export function decodePortMessage(body: Uint8Array): PortMessage {
  const fields = decodeObject(body, null);
  if (fields["type"] === "no-port") {
    const code = fields["code"];
    if (code !== null && !isFallbackReason(code)) throw malformed("an unknown code", "a known one");
    return { type: "no-port", code, reason: text(fields, "reason", REASON_LENGTH_MAX) };
  }
  if (fields["type"] !== "port") throw malformed("no port message", "one");
  return {
    type: "port",
    host: integer(fields, "host", 1, 0xffff),
    port: integer(fields, "port", 1, 65535),
    token: hex(fields, "token", TOKEN_BYTES),
    ...("secret" in fields ? { secret: hex(fields, "secret", SECRET_BYTES) } : {}),
  };
}

/** @throws AgentError `reset` for what is no verdict */
export function decodeVerdict(body: Uint8Array): Verdict {
  if (decodeObject(body, null)["type"] === "ready") return { type: "ready" };
  const message = decodePortMessage(body);
  if (message.type === "no-port") return message;
  throw malformed("a second port", "a verdict");
}

function decodeObject(body: Uint8Array, type: string | null): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw malformed("no JSON", "a document");
  }
  if (typeof value !== "object" || value === null) throw malformed("no JSON object", "one");
  const fields = value as Readonly<Record<string, unknown>>;
  if (type !== null && fields["type"] !== type) {
    throw malformed(`a ${shown(fields["type"])} message`, `"${type}"`);
  }
  return fields;
}

function shown(type: unknown): string {
  return `"${typeof type === "string" ? type.slice(0, 32) : "?"}"`;
}

function text(fields: Readonly<Record<string, unknown>>, key: string, maxLength: number): string {
  const value = fields[key];
  if (typeof value !== "string" || value.length > maxLength) {
    throw malformed(`no usable "${key}"`, `text of at most ${maxLength} characters`);
  }
  return value;
}

/** Names go on into file names, routes and logs: only what the configuration allows, too. */
function name(fields: Readonly<Record<string, unknown>>, key: string): string {
  const value = text(fields, key, NAME_LENGTH_MAX);
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value)) return value;
  throw malformed(
    `no usable "${key}"`,
    'letters, digits, ".", "_" or "-", beginning with a letter or digit',
  );
}

function encryptionWord(value: unknown): EncryptionWord {
  if (value === "can" || value === "must") return value;
  throw malformed("an unknown encryption", '"can" or "must"');
}

function hex(fields: Readonly<Record<string, unknown>>, key: string, bytes: number): string {
  const value = text(fields, key, bytes * 2);
  if (!/^[0-9a-f]+$/.test(value) || value.length !== bytes * 2) {
    throw malformed(`a malformed "${key}"`, `${bytes} bytes in hex`);
  }
  return value;
}

function integer(
  fields: Readonly<Record<string, unknown>>,
  key: string,
  min: number,
  max: number,
): number {
  const value = fields[key];
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    throw malformed(`no usable "${key}"`, `an integer from ${min} to ${max}`);
  }
  return value;
}

function malformed(found: string, wanted: string): AgentError {
  return new AgentError(
    "reset",
    `Cannot set up the connection: the peer sent ${found}, need ${wanted}`,
  );
}
