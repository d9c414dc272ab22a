// Full paths from member names, strict: a name that could leave the directory it is extracted
// below is damage, whoever made the archive.
//
// Each file of a restore passes here. Short arrays are copied: views of them cost more.

import type { Entry } from "../entry.ts";
import { MAX_PATH_BYTES } from "./limits.ts";
import { damagedHeader } from "./header_block.ts";

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * The full path ("/" and the components joined by "/") of a member's name. A leading "./" means
 * nothing: other programs write it.
 * @throws AgentError `damaged` for "..", ".", empty components, NUL, or too long a name
 */
export function memberPath(name: Uint8Array, type: Entry["type"]): Uint8Array {
  const fromHere = name[0] === DOT && name[1] === SLASH;
  if (fromHere && name.length === 2 && type === "directory") return Uint8Array.of(SLASH);
  // PostgreSQL ends the names of links to directories like theirs.
  const mayEndSo = type === "directory" || type === "symlink";
  const slashed = mayEndSo && name[name.length - 1] === SLASH;
  const start = fromHere ? 2 : 0;
  const end = slashed ? name.length - 1 : name.length;
  if (end <= start) throw damagedName(name, "at least one component");
  if (end - start >= MAX_PATH_BYTES) throw damagedName(name, `at most ${MAX_PATH_BYTES} bytes`);
  const path = new Uint8Array(end - start + 1);
  path[0] = SLASH;
  for (let at = start; at < end; at++) path[at - start + 1] = name[at] as number;
  checkPath(path);
  return path;
}

/**
 * The components of a full path; none for "/".
 * @throws AgentError `damaged` for a path that no walk produces
 */
export function splitPath(path: Uint8Array): Uint8Array[] {
  checkPath(path);
  const components: Uint8Array[] = [];
  for (let start = 1; start < path.length;) {
    const end = componentEnd(path, start);
    components.push(path.slice(start, end));
    start = end + 1;
  }
  return components;
}

/** @throws AgentError `damaged` for a path that no walk produces */
export function checkPath(path: Uint8Array): void {
  if (path[0] !== SLASH) throw damagedName(path, 'a leading "/"');
  if (path.includes(0)) throw damagedName(path, "no NUL");
  for (let start = 1; start < path.length;) {
    const end = componentEnd(path, start);
    if (isReserved(path, start, end) || end === path.length - 1) {
      throw damagedName(path, 'components other than "", "." and ".."');
    }
    start = end + 1;
  }
}

function componentEnd(path: Uint8Array, start: number): number {
  const slash = path.indexOf(SLASH, start);
  return slash < 0 ? path.length : slash;
}

/** True for "", "." and "..". */
function isReserved(path: Uint8Array, start: number, end: number): boolean {
  if (end - start > 2) return false;
  for (let at = start; at < end; at++) if (path[at] !== DOT) return false;
  return true;
}

function damagedName(name: Uint8Array, needed: string): Error {
  const text = new TextDecoder().decode(name.subarray(0, 200));
  return damagedHeader(`the name ${JSON.stringify(text)}`, needed);
}
