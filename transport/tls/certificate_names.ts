// The DNS names in a certificate's subject alternative name (RFC 5280, 4.2.1.6). Pure.
//
// Read from the DER itself: the text that runtimes make of it joins the names by commas, and a name
// may contain one.
//
//   Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { … [3] { Extensions } }, … }
//   Extension   ::= SEQUENCE { extnID OID, critical BOOLEAN OPTIONAL, extnValue OCTET STRING }
//   SubjectAltName ::= SEQUENCE OF { … dNSName [2] IA5String … }

import { elements, find, first, malformed, OBJECT_ID, OCTET_STRING, SEQUENCE } from "./der.ts";
import { CERTIFICATE_BYTES_MAX, CERTIFICATE_NAMES_MAX } from "./limits.ts";

const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

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
