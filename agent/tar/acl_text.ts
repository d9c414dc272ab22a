// POSIX access control lists: the kernel's binary form, as the extended attributes
// "system.posix_acl_access" and "system.posix_acl_default" hold it, and the text form that GNU tar
// and star write as SCHILY.acl.access and SCHILY.acl.default (withdrawn POSIX.1e draft 17).
//
//   offset  bytes  field                    text, one line each
//        0      4  version (2)
//        4      2  tag    1 owner           user::rwx
//                         2 user            user:1000:rw-
//                         4 owning group    group::r-x
//                         8 group           group:50:r--
//                        16 mask            mask::rwx
//                        32 others          other::---
//        6      2  permissions, rwx = 421
//        8      4  id; all bits set where the tag has none
//
// All little-endian; the entry of 8 bytes repeats. Users and groups are written as numbers, so that
// a list is restored where their names are not known. The order is the kernel's. Pure.

import { AgentError } from "../../transport/ground/error.ts";

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NO_ID = 0xffff_ffff;

interface Tag {
  readonly word: string;
  readonly hasId: boolean;
}

const TAGS: ReadonlyMap<number, Tag> = new Map([
  [0x01, { word: "user", hasId: false }],
  [0x02, { word: "user", hasId: true }],
  [0x04, { word: "group", hasId: false }],
  [0x08, { word: "group", hasId: true }],
  [0x10, { word: "mask", hasId: false }],
  [0x20, { word: "other", hasId: false }],
]);

/** The list as text, or null for bytes that have no text: another version, unknown tags. */
export function encodeAclText(binary: Uint8Array): Uint8Array | null {
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  const entries = (binary.length - HEADER_BYTES) / ENTRY_BYTES;
  if (!Number.isInteger(entries) || entries < 1) return null;
  if (view.getUint32(0, true) !== VERSION) return null;
  const lines: string[] = [];
  for (let at = HEADER_BYTES; at < binary.length; at += ENTRY_BYTES) {
    const tag = TAGS.get(view.getUint16(at, true));
    const bits = view.getUint16(at + 2, true);
    const id = view.getUint32(at + 4, true);
    if (tag === undefined || bits > 7 || tag.hasId === (id === NO_ID)) return null;
    lines.push(`${tag.word}:${tag.hasId ? id : ""}:${permissionText(bits)}\n`);
  }
  return new TextEncoder().encode(lines.join(""));
}

/**
 * The reverse of `encodeAclText`. Commas may stand for line ends, as star writes them.
 * @throws AgentError `damaged` for anything else, names of users included
 */
export function decodeAclText(text: Uint8Array): Uint8Array {
  const lines = new TextDecoder().decode(text).split(/[\n,]/).filter((line) => line !== "");
  if (lines.length === 0) throw damagedAcl("no entry");
  const binary = new Uint8Array(HEADER_BYTES + lines.length * ENTRY_BYTES);
  const view = new DataView(binary.buffer);
  view.setUint32(0, VERSION, true);
  lines.forEach((line, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    const [, word, id = "", r, w, x] = /^(\w+):(\d{0,10}):([r-])([w-])([x-])$/.exec(line) ?? [];
    const tag = [...TAGS].find(([, { word: own, hasId }]) => own === word && hasId === (id !== ""));
    if (tag === undefined || Number(id) >= NO_ID) throw damagedAcl(JSON.stringify(line));
    view.setUint16(at, tag[0], true);
    view.setUint16(at + 2, (r === "r" ? 4 : 0) + (w === "w" ? 2 : 0) + (x === "x" ? 1 : 0), true);
    view.setUint32(at + 4, id === "" ? NO_ID : Number(id), true);
  });
  return binary;
}

function permissionText(bits: number): string {
  return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${bits & 1 ? "x" : "-"}`;
}

function damagedAcl(found: string): AgentError {
  const message = `Cannot read access control list: found ${found}, need entries such as ` +
    '"user:1000:rw-"';
  return new AgentError("damaged", message, {
    hint: "Run `agent verify` to find the damaged media.",
  });
}
