// A process that ends before its n-th change of files, simulated: what it had open is closed when
// the test says so, and its locks with it.

import type { ArrayParts } from "../../../emulator/mod.ts";
import { filesOver } from "./files_over.ts";

/** What changes something; a process is killed before each of them in turn. */
const CHANGES = [
  "open",
  "writeAll",
  "writeAllAt",
  "truncate",
  "rename",
  "unlink",
  "makeDirectory",
] as const;

/** Thrown in place of the end of the process. */
export class Killed extends Error {}

/** `end` closes what the process had open, as its end does. */
export type DyingParts = ArrayParts & { readonly end: () => void };

/** Parts of a process that ends before its n-th change, or when `end` is called. */
export function dyingParts(own: ArrayParts, changes = Infinity): DyingParts {
  const open = new Set<number>();
  let left = changes;
  const dying = CHANGES.map((name) => {
    const change = (...args: never[]) => {
      if (left <= 0) throw new Killed();
      // What fails has changed nothing, and is not counted.
      const result: unknown = Reflect.apply(own.files[name], own.files, args);
      left--;
      if (name === "open") open.add(Number(result));
      return result;
    };
    return [name, change] as const;
  });
  const close = (descriptor: number) => {
    if (left <= 0) return; // The end of the process closes it.
    open.delete(descriptor);
    own.files.close(descriptor);
  };
  const files = filesOver(own.files, { ...Object.fromEntries(dying), close });
  const end = () => {
    for (const descriptor of open) own.files.close(descriptor);
    open.clear();
  };
  return { ...own, files, end };
}
