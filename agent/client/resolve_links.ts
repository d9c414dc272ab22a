// The path that a path leads to: symbolic links in it are followed, as far as they are there, and
// ".." leads out of where they led, as for the kernel. A client that is confined to directories
// compares this one, since a link could lead out of them.

import { AgentError, AT_CWD, type Files, SystemError } from "../../transport/mod.ts";

/** Links in one path: the kernel's own limit. */
const LINKS_MAX = 40;

/** @param path absolute @throws AgentError `auth` when links lead in a circle */
export function resolveLinks(files: Pick<Files, "readLink">, path: string): string {
  let rest = componentsOf(path);
  let done: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const [first = "", ...others] = rest;
    rest = others;
    if (first === "..") {
      done.pop();
      continue;
    }
    const link = linkAt(files, `/${[...done, first].join("/")}`);
    if (link === null) {
      done.push(first);
      continue;
    }
    if (++links > LINKS_MAX) {
      throw new AgentError("auth", `Cannot use "${path}": found a circle of symbolic links in it`);
    }
    if (link.startsWith("/")) done = [];
    rest = [...componentsOf(link), ...others];
  }
  return `/${done.join("/")}`;
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
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
