// Lets one test file run under both runtimes: Bun has "bun:test" built in, Deno maps that
// name to this module (deno.json, "imports"). Only what both sides offer is exported.
//
// Deno makes an isolate for each file, which costs more than most files' tests: `gatherFile` lets
// many files run in one (together.ts).

import { Buffer } from "node:buffer";
import * as node from "node:test";
import { expect } from "expect";

// The package compares arrays of bytes element by element, at two seconds a MiB. What is not the
// same is left to it, for it shows where.
expect.addEqualityTesters([
  (left: unknown, right: unknown): true | undefined =>
    left instanceof Uint8Array && right instanceof Uint8Array &&
      Object.getPrototypeOf(left) === Object.getPrototypeOf(right) &&
      Buffer.compare(left, right) === 0
      ? true
      : undefined,
]);

/** What the file that is being gathered has asked for at its top; null while none is. */
let gathered: (() => void)[] | null = null;

function lateBound<Args extends unknown[]>(ask: (...args: Args) => unknown) {
  return (...args: Args): void => {
    if (gathered === null) ask(...args);
    else gathered.push(() => ask(...args));
  };
}

/** Loads a file and makes a block of all that it has: its hooks are for its own tests alone. */
export async function gatherFile(name: string, load: () => Promise<unknown>): Promise<void> {
  const asked: (() => void)[] = gathered = [];
  try {
    await load();
  } finally {
    gathered = null;
  }
  node.describe(name, () => asked.forEach((ask) => ask()));
}

export const afterAll = lateBound(node.after);
export const afterEach = lateBound(node.afterEach);
export const beforeAll = lateBound(node.before);
export const beforeEach = lateBound(node.beforeEach);
export const describe = Object.assign(lateBound(node.describe), {
  skip: lateBound(node.describe.skip),
});
export const test = Object.assign(lateBound(node.test), { skip: lateBound(node.test.skip) });
export { expect };
