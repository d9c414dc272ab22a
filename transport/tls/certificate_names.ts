// The DNS names in a certificate's subject alternative name (RFC 5280, 4.2.1.6). Pure.
//
// Read from the DER itself: the text that runtimes make of it joins the names by commas, and a name
// may contain one.
//
//   Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { … [3] { Extensions } }, … }
//   Extension   ::= SEQUENCE { extnID OID, critical BOOLEAN OPTIONAL, extnValue OCTET STRING }
//   SubjectAltName ::= SEQUENCE OF { … dNSName [2] IA5String … }

import { AgentError } from "../ground/error.ts";
import { CERTIFICATE_BYTES_MAX, CERTIFICATE_NAMES_MAX } from "./limits.ts";

const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** @throws AgentError `auth` when it is no certificate */
export function certificateNames(der: Uint8Array): readonly string[] {
  if (der.length > CERTIFICATE_BYTES_MAX) throw malformed();
  const certificate = first(der, SEQUENCE);
  const extensions = find(first(certificate, SEQUENCE), EXTENSIONS);
  if (extensions === undefined) return [];
  for (const extension of elements(first(extensions, SEQUENCE))) {
    const id = find(extension.content, OBJECT_ID);
    if (id === undefined || !isSubjectAltName(id)) continue;
    const value = find(extension.content, OCTET_STRING);
    if (value === undefined) throw malformed();
    return dnsNames(first(value, SEQUENCE));
  }
  return [];
}

function dnsNames(content: Uint8Array): readonly string[] {
  const names: string[] = [];
  for (const { tag, content: name } of elements(content)) {
    if (tag !== DNS_NAME) continue;
    if (names.length === CERTIFICATE_NAMES_MAX) throw malformed();
    // Byte by byte: a name that is no ASCII stays different from every configured one.
    names.push(Array.from(name, (byte) => String.fromCharCode(byte)).join(""));
  }
  return names;
}

function isSubjectAltName(id: Uint8Array): boolean {
  return id.length === SUBJECT_ALT_NAME.length &&
    SUBJECT_ALT_NAME.every((byte, index) => id[index] === byte);
}

function first(bytes: Uint8Array, tag: number): Uint8Array {
  const found = elements(bytes).next().value;
  if (found === undefined || found.tag !== tag) throw malformed();
  return found.content;
}

function find(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  for (const element of elements(bytes)) {
    if (element.tag === tag) return element.content;
  }
  return undefined;
}

/** The elements of a constructed one; each lies within `bytes`. */
function* elements(bytes: Uint8Array): Generator<Element, undefined> {
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1];
    if (length === undefined) throw malformed();
    at += 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || at + count > bytes.length) throw malformed();
      length = bytes.subarray(at, at + count).reduce((value, byte) => value * 256 + byte, 0);
      at += count;
    }
    if (length > bytes.length - at) throw malformed();
    yield { tag, content: bytes.subarray(at, at + length) };
    at += length;
  }
  return undefined;
}

function malformed(): AgentError {
  return new AgentError("auth", "Cannot read the peer's certificate: found no X.509, need that");
}
