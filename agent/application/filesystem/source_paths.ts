// The paths that a backup is of: absolute, normal, in the order of a walk, none inside another.

import { AgentError } from "../../../transport/ground/error.ts";
import { compareWalkOrder } from "../../walk_order.ts";

const SLASH = 0x2f;

const encoder = new TextEncoder();

/**
 * Makes the list of a request canonical; duplicates and nested paths are merged.
 * @throws AgentError `usage` when a path is not absolute, has ".." or NUL, or none is given
 */
export function normalizeSourcePaths(paths: readonly string[]): string[] {
  if (paths.length === 0) {
    throw new AgentError("usage", "Cannot back up: found no path, need at least one", {
      hint: "Name the directories to back up.",
    });
  }
  const normal = [...new Set(paths.map(normalizePath))];
  const kept = normal.filter((path) => !normal.some((other) => isInside(path, other)));
  return kept.sort((a, b) => compareWalkOrder(encoder.encode(a), encoder.encode(b)));
}

/** Order of raw bytes, shorter first: that of the names of a directory. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** `name` below `path`. */
export function joinPath(path: Uint8Array, name: Uint8Array): Uint8Array {
  const prefix = path.length === 1 ? 0 : path.length;
  const joined = new Uint8Array(prefix + 1 + name.length);
  joined.set(path.subarray(0, prefix));
  joined[prefix] = SLASH;
  joined.set(name, prefix + 1);
  return joined;
}

function normalizePath(path: string): string {
  const components = path.split("/").filter((part) => part !== "" && part !== ".");
  if (!path.startsWith("/") || path.includes("\0") || components.includes("..")) {
    const message = `Cannot back up "${path}": found a path that is not absolute and plain, ` +
      'need one with a leading "/" and without ".."';
    throw new AgentError("usage", message, { hint: "Give the full path." });
  }
  return `/${components.join("/")}`;
}

function isInside(path: string, other: string): boolean {
  return path !== other && path.startsWith(other === "/" ? "/" : `${other}/`);
}
