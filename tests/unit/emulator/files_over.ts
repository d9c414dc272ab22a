// The files of a runtime with some calls replaced: what a test watches, fails or kills.

import type { Files } from "../../../transport/runtime/files.ts";

/** @param changes calls that take the place of those of `files` */
export function filesOver(files: Files, changes: Partial<Files>): Files {
  // The files have private parts: their own methods must be called on themselves.
  return new Proxy(files, {
    get(target, name): unknown {
      const found: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}
