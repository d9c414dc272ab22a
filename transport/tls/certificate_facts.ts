// The serial number and the time of validity of a certificate (RFC 5280, 4.1.2). Pure.
//
//   tbsCertificate ::= SEQUENCE { [0] version, serialNumber INTEGER, SEQUENCE signature,
//                                 SEQUENCE issuer, validity SEQUENCE { notBefore, notAfter }, … }

import { encodeHex } from "../ground/hex.ts";
import {
  type Element,
  elements,
  first,
  GENERALIZED_TIME,
  INTEGER,
  malformed,
  SEQUENCE,
  UTC_TIME,
} from "./der.ts";
import { CERTIFICATE_BYTES_MAX } from "./limits.ts";

const VERSION = 0xa0;

export interface CertificateFacts {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** @throws AgentError `auth` when it is no certificate */
export function certificateFacts(der: Uint8Array): CertificateFacts {
  if (der.length > CERTIFICATE_BYTES_MAX) throw malformed();
  const parts = elements(first(first(der, SEQUENCE), SEQUENCE));
  let part = next(parts);
  if (part.tag === VERSION) part = next(parts);
  if (part.tag !== INTEGER || part.content.length === 0) throw malformed();
  const serial = normalSerial(encodeHex(part.content));
  next(parts);
  next(parts);
  const validity = next(parts);
  if (validity.tag !== SEQUENCE) throw malformed();
  const times = elements(validity.content);
  return { serial, notBeforeMs: timeOf(next(times)), notAfterMs: timeOf(next(times)) };
}

/** A serial as people write it, in the form of `CertificateFacts`: `0A:BC` is `abc`. */
export function normalSerial(text: string): string {
  return text.replaceAll(":", "").toLowerCase().replace(/^0+(?=.)/, "");
}

function next(parts: Generator<Element, undefined>): Element {
  const { value } = parts.next();
  if (value === undefined) throw malformed();
  return value;
}

/** UTCTime YYMMDDhhmmssZ is of 1950 to 2049; GeneralizedTime has all four digits of the year. */
function timeOf({ tag, content }: Element): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const digits = tag === UTC_TIME ? (text < "50" ? `20${text}` : `19${text}`) : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  if (match === null || (tag !== UTC_TIME && tag !== GENERALIZED_TIME)) throw malformed();
  const [, year, month, day, hour, minute, second] = match;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw malformed();
  return ms;
}
