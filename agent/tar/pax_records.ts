// Records of a pax extended header: "<length> <key>=<value>\n", where length counts the whole
// record, itself included (POSIX.1-2001, pax interchange format). Values are raw bytes: names that
// are not UTF-8 are written as they are, as GNU tar does. So may keys be, which hold the names of
// extended attributes: here they are byte strings, texts with one character (U+0000 to U+00FF) a
// byte.
//
// Times are decimal seconds with nine decimals and a sign; they are exact in both directions.

import { AgentError } from "../../transport/ground/error.ts";
import { exactSeconds, splitTime } from "../split_time.ts";
import { MAX_PAX_KEY_BYTES } from "./limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const NS_PER_SECOND = 1_000_000_000n;
const MAX_LENGTH_DIGITS = 10;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** Bytes as a text with one character each. */
export function toByteString(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, null, bytes); // A spread goes byte by byte.
}

/** The reverse of `toByteString`. */
export function fromByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Encodes one record; the key is a byte string. */
export function encodePaxRecord(key: string, value: Uint8Array | string): Uint8Array {
  const valueBytes = typeof value === "string" ? encoder.encode(value) : value;
  const keyBytes = fromByteString(` ${key}=`);
  const plain = keyBytes.length + valueBytes.length + 1;
  let length = plain + String(plain).length;
  if (String(length).length > String(plain).length) length++;
  const digits = fromByteString(String(length));
  const record = new Uint8Array(length);
  record.set(digits);
  record.set(keyBytes, digits.length);
  record.set(valueBytes, digits.length + keyBytes.length);
  record[length - 1] = NEWLINE;
  return record;
}

/**
 * Parses the body of a pax header; a later record of the same key wins. Values are copies:
 * views of so few bytes cost more.
 * @throws AgentError `damaged`
 */
export function parsePaxRecords(body: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  let at = 0;
  while (at < body.length) {
    let start = at;
    let length = 0;
    while (body[start] !== SPACE) {
      const digit = (body[start++] ?? 0) - 0x30;
      if (digit < 0 || digit > 9 || start - at > MAX_LENGTH_DIGITS) {
        throw damagedPax("a record without a length");
      }
      length = length * 10 + digit;
    }
    const end = at + length;
    if (end > body.length || end <= start || body[end - 1] !== NEWLINE) {
      throw damagedPax(`a record of ${length} bytes with ${body.length - at} left`);
    }
    const equals = body.indexOf(EQUALS, start + 1);
    if (equals < 0 || equals >= end) throw damagedPax('a record without "="');
    if (equals - start > MAX_PAX_KEY_BYTES) throw damagedPax(`a key of ${equals - start} bytes`);
    const key = toByteString(body.slice(start + 1, equals));
    records.set(key, body.slice(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** A number of a record, non-negative and exact. @throws AgentError `damaged` */
export function paxNumber(value: Uint8Array, key: string): number {
  const digits = text(value);
  const number = /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(number)) throw damagedPax(`${key}="${digits}"`);
  return number;
}

/** Nanoseconds since 1970 as seconds with nine decimals. */
export function formatPaxTime(timeNs: bigint): string {
  const magnitude = timeNs < 0n ? -timeNs : timeNs;
  const split = splitTime(magnitude);
  const { seconds, nanoseconds } = split;
  const whole = Number.isSafeInteger(seconds) ? seconds : exactSeconds(magnitude, split);
  return `${timeNs < 0n ? "-" : ""}${whole}.${String(nanoseconds).padStart(9, "0")}`;
}

/** The reverse of `formatPaxTime`; further decimals are cut. @throws AgentError `damaged` */
export function parsePaxTime(value: Uint8Array, key: string): bigint {
  const match = /^(-?)(\d{1,19})(?:\.(\d{0,20}))?$/.exec(text(value));
  if (match === null) throw damagedPax(`${key}="${text(value)}"`);
  const fraction = (match[3] ?? "").slice(0, 9).padEnd(9, "0");
  const magnitude = BigInt(match[2] ?? "0") * NS_PER_SECOND + BigInt(fraction);
  return match[1] === "-" ? -magnitude : magnitude;
}

function text(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new AgentError("damaged", "Cannot read pax header: found other bytes, need UTF-8", {
      cause,
    });
  }
}

function damagedPax(found: string): AgentError {
  return new AgentError("damaged", `Cannot read pax header: found ${found}, need a valid record`, {
    hint: "Run `agent verify` to find the damaged media.",
  });
}
