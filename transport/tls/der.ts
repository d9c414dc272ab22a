// The elements of a DER encoding (X.690): tag, length, content. Pure.
//
// Only what certificates use: one byte of tag, lengths of at most four bytes.

import { AgentError } from "../ground/error.ts";

export const INTEGER = 0x02;
export const OCTET_STRING = 0x04;
export const OBJECT_ID = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The content of the first element, which has this tag. @throws AgentError `auth` */
export function first(bytes: Uint8Array, tag: number): Uint8Array {
  const found = elements(bytes).next().value;
  if (found === undefined || found.tag !== tag) throw malformed();
  return found.content;
}

/** The content of the first element with this tag. @throws AgentError `auth` */
export function find(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  for (const element of elements(bytes)) {
    if (element.tag === tag) return element.content;
  }
  return undefined;
}

/** The elements of a constructed one; each lies within `bytes`. @throws AgentError `auth` */
export function* elements(bytes: Uint8Array): Generator<Element, undefined> {
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

export function malformed(): AgentError {
  return new AgentError("auth", "Cannot read the peer's certificate: found no X.509, need that");
}
