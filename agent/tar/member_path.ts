// Full paths from member names, strict: a name that could leave the directory it is extracted
// below is damage, whoever made the archive.

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
  const bare = name.subarray(fromHere ? 2 : 0, slashed ? name.length - 1 : name.length);
  if (bare.length === 0) throw damagedName(name, "at least one component");
  if (bare.length >= MAX_PATH_BYTES) throw damagedName(name, `at most ${MAX_PATH_BYTES} bytes`);
  const path = new Uint8Array(bare.length + 1);
  path[0] = SLASH;
  path.set(bare, 1);
  splitPath(path);
  return path;
}

/**
 * The components of a full path; none for "/".
 * @throws AgentError `damaged` for a path that no walk produces
 */
export function splitPath(path: Uint8Array): Uint8Array[] {
  if (path[0] !== SLASH) throw damagedName(path, 'a leading "/"');
  if (path.includes(0)) throw damagedName(path, "no NUL");
  const components: Uint8Array[] = [];
  let start = 1;
  while (start < path.length) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const component = path.subarray(start, end);
    const dots = component.every((byte) => byte === DOT);
    if ((dots && component.length <= 2) || end === path.length - 1) {
      throw damagedName(path, 'components other than "", "." and ".."');
    }
    components.push(component);
    start = end + 1;
  }
  return components;
}

function damagedName(name: Uint8Array, needed: string): Error {
  const text = new TextDecoder().decode(name.subarray(0, 200));
  return damagedHeader(`the name ${JSON.stringify(text)}`, needed);
}
