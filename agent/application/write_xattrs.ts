// Gives a restored object exactly the extended attributes of its entry.
//
// What the entry does not have is taken away: a new object inherits the default access control list
// of the directory that it was made in, and one that was there already may have anything. Labels
// that the system itself puts on (security.selinux and the like) stay.

import { equalBytes } from "../../transport/ground/equal_bytes.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { Files, XattrSubject } from "../../transport/runtime/files.ts";
import type { Xattr } from "../entry.ts";
import type { WarningCode } from "./application.ts";
import { isMediumFailure } from "./medium_failure.ts";

const decoder = new TextDecoder();
const CAPABILITY = "security.capability";

export type XattrClass = Extract<WarningCode, "acl" | "capability" | "xattr">;

/**
 * Sets and removes; what the file system or our rights do not permit is passed over.
 * @returns by class what was not done and why, "user.x (EPERM)"
 * @throws SystemError when the medium fails
 */
export function writeXattrs(
  files: Files,
  subject: XattrSubject,
  wanted: readonly Xattr[],
): ReadonlyMap<XattrClass, readonly string[]> {
  const failures = new Map<XattrClass, string[]>();
  const attempt = (name: Uint8Array, step: () => void): void => {
    try {
      step();
    } catch (error) {
      // ENOSPC here means that the object has no more room for attributes.
      if (!(error instanceof SystemError) || isMediumFailure(error)) throw error;
      const text = decoder.decode(name);
      const code = classOf(text);
      failures.set(code, [...failures.get(code) ?? [], `${text} (${error.errno})`]);
    }
  };
  for (const name of files.xattrs.list(subject)) {
    if (isLabel(name) || wanted.some((xattr) => equalBytes(xattr.name, name))) continue;
    attempt(name, () => files.xattrs.remove(subject, name));
  }
  for (const { name, value } of wanted) {
    attempt(name, () => files.xattrs.set(subject, name, value));
  }
  return failures;
}

function classOf(name: string): XattrClass {
  if (name.startsWith("system.posix_acl_")) return "acl";
  return name === CAPABILITY ? "capability" : "xattr";
}

/** True when an object has attributes that a restore could change: not labels of the system. */
export function hasXattrs(files: Files, subject: XattrSubject): boolean {
  return files.xattrs.list(subject).some((name) => !isLabel(name));
}

/** True for what the system itself puts on objects. */
export function isLabel(name: Uint8Array): boolean {
  const text = decoder.decode(name);
  return text.startsWith("security.") && text !== CAPABILITY;
}
