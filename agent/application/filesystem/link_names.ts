// Where the data of hard-link sets goes: the redirects of a partial restore, by member path.

import type { Redirect } from "../../record.ts";

const NONE: readonly Uint8Array[] = [];
const decoder = new TextDecoder("latin1");

/** A path as a map key; latin1 keeps bytes apart. */
function keyOf(path: Uint8Array): string {
  return decoder.decode(path);
}

export class LinkNames {
  readonly #names = new Map<string, Uint8Array[]>();
  readonly #written = new Set<string>();

  constructor(redirects: readonly Redirect[]) {
    for (const { member, writeAs } of redirects) {
      const names = this.#names.get(keyOf(member)) ?? [];
      names.push(writeAs);
      this.#names.set(keyOf(member), names);
      this.#written.add(keyOf(writeAs));
    }
  }

  /** The path to write the data of a member to, and whether that is another than its own. */
  writeAs(member: Uint8Array): readonly [path: Uint8Array, redirected: boolean] {
    if (this.#names.size === 0) return [member, false];
    const first = this.#names.get(keyOf(member))?.[0];
    return first === undefined ? [member, false] : [first, true];
  }

  /** Paths to link to the first, when a member is redirected to several. */
  furtherNames(member: Uint8Array): readonly Uint8Array[] {
    if (this.#names.size === 0) return NONE;
    return this.#names.get(keyOf(member))?.slice(1) ?? NONE;
  }

  /** True when a redirect writes this path. */
  isWritten(path: Uint8Array): boolean {
    return this.#written.has(keyOf(path));
  }
}
