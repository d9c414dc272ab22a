// The names of a directory as GNU tar's incremental archives have them: a letter, the name, NUL,
// for each; then one more NUL. `tar --listed-incremental=/dev/null -x` removes what is not named,
// and what is of another kind: "D" is a directory, "Y" anything else, "N" may be either.
//
// Names are in the order of their bytes, which GNU tar searches by. Sockets are not stored, so
// they are left out. Pure.

import { MAX_DUMPDIR_BYTES } from "../../tar/mod.ts";
import type { NameList } from "./name_list.ts";

const DIRECTORY = 0x44;
const OTHER = 0x59;
const EITHER = 0x4e;

/** The names, undefined when they are more than a header takes. */
export function encodeDumpdir(names: NameList): Uint8Array | undefined {
  let bytes = new Uint8Array(4096);
  let fill = 0;
  for (let at = 0; at < names.length; at++) {
    const name = names.at(at);
    const type = names.typeAt(at);
    if (name === null || type === "socket") continue;
    const end = fill + name.length + 2;
    if (end >= MAX_DUMPDIR_BYTES) return undefined;
    if (end >= bytes.length) {
      const larger = new Uint8Array(2 * bytes.length + name.length + 2);
      larger.set(bytes);
      bytes = larger;
    }
    bytes[fill] = type === "directory" ? DIRECTORY : type === "unknown" ? EITHER : OTHER;
    bytes.set(name, fill + 1);
    fill = end;
  }
  return bytes.subarray(0, fill + 1);
}
