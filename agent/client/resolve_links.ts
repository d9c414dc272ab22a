// The path that a path leads to: symbolic links in it are followed, as far as they are there. A
// client that is confined to directories compares this one, since a link could lead out of them.

import { posix } from "node:path";
import { AgentError, AT_CWD, type Files, SystemError } from "../../transport/mod.ts";

/** Links in one path: the kernel's own limit. */
const LINKS_MAX = 40;

/** @param path absolute @throws AgentError `auth` when links lead in a circle */
export function resolveLinks(files: Pick<Files, "readLink">, path: string): string {
  let rest = posix.normalize(path).split("/").filter((part) => part !== "");
  let done = "";
  for (let links = 0; rest.length > 0;) {
    const [first = "", ...others] = rest;
    const link = linkAt(files, `${done}/${first}`);
    if (link === null) {
      done = `${done}/${first}`;
      rest = others;
      continue;
    }
    if (++links > LINKS_MAX) {
      throw new AgentError("auth", `Cannot use "${path}": found a circle of symbolic links in it`);
    }
    const led = posix.resolve(done === "" ? "/" : done, link, ...others);
    rest = led.split("/").filter((part) => part !== "");
    done = "";
  }
  return done === "" ? "/" : done;
}

/** What a symbolic link says; null for whatever is none, or not there. */
function linkAt(files: Pick<Files, "readLink">, path: string): string | null {
  try {
    return new TextDecoder().decode(files.readLink(AT_CWD, path));
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}
