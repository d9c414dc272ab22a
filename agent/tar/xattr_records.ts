// Extended attributes as pax records, in the form that GNU tar and star read.
//
//   SCHILY.acl.access=…       the list of system.posix_acl_access as text (acl_text.ts)
//   SCHILY.acl.default=…      the same of system.posix_acl_default
//   SCHILY.xattr.NAME=VALUE   any other; the value's bytes as they are
//
// A "=" would end the record's key, so GNU tar writes "%3D" for it in NAME, and "%25" for "%". A
// list that has no text is kept as it is, by its NAME. Pure.

import type { Xattr } from "../entry.ts";
import { decodeAclText, encodeAclText } from "./acl_text.ts";
import { encodePaxRecord, fromByteString, toByteString } from "./pax_records.ts";

const PREFIX = "SCHILY.xattr.";

/** Attributes that are access control lists, and the keys of their texts. */
const ACL_KEYS: ReadonlyMap<string, string> = new Map([
  ["system.posix_acl_access", "SCHILY.acl.access"],
  ["system.posix_acl_default", "SCHILY.acl.default"],
]);

export function encodeXattrRecords(xattrs: readonly Xattr[]): Uint8Array[] {
  return xattrs.map(({ name, value }) => {
    const key = toByteString(name);
    const aclKey = ACL_KEYS.get(key);
    const text = aclKey === undefined ? null : encodeAclText(value);
    if (aclKey !== undefined && text !== null) return encodePaxRecord(aclKey, text);
    return encodePaxRecord(PREFIX + key.replaceAll("%", "%25").replaceAll("=", "%3D"), value);
  });
}

/**
 * The attributes that the records hold; they own their bytes. Where a list is there in both forms
 * its own bytes count: its text may have names of users.
 * @throws AgentError `damaged`
 */
export function decodeXattrRecords(records: ReadonlyMap<string, Uint8Array>): Xattr[] {
  const xattrs: Xattr[] = [];
  for (const [key, value] of records) {
    if (!key.startsWith(PREFIX)) continue;
    const name = key.slice(PREFIX.length).replaceAll("%3D", "=").replaceAll("%25", "%");
    xattrs.push({ name: fromByteString(name), value: value.slice() });
  }
  for (const [name, key] of ACL_KEYS) {
    const text = records.get(key);
    if (text === undefined || records.has(PREFIX + name)) continue;
    xattrs.push({ name: fromByteString(name), value: decodeAclText(text) });
  }
  return xattrs;
}
