// Exclusion by globs, which match the full path with its leading "/". A walk does not enter a
// directory that matches, so that its subtree goes with it.

import picomatch from "picomatch";
import { AgentError } from "../../../transport/ground/error.ts";

/**
 * Compiles the globs; names that are not UTF-8 match with U+FFFD in place of their bad bytes.
 * @throws AgentError `usage` for a glob that does not compile
 */
export function compileExclude(globs: readonly string[]): (path: Uint8Array) => boolean {
  if (globs.length === 0) return () => false;
  const matchers = globs.map((glob) => {
    try {
      return picomatch(glob, { dot: true, strictBrackets: true });
    } catch (cause) {
      const found = cause instanceof Error ? cause.message : String(cause);
      throw new AgentError("usage", `Cannot exclude "${glob}": found ${found}, need a glob`, {
        cause,
        hint: 'Write the glob for the full path, for instance "/srv/**/*.tmp".',
      });
    }
  });
  const decoder = new TextDecoder();
  return (path) => {
    const text = decoder.decode(path);
    return matchers.some((matches) => matches(text));
  };
}
