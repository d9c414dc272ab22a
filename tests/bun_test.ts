// Lets one test file run under both runtimes: Bun has "bun:test" built in, Deno maps that
// name to this module (deno.json, "imports"). Only what both sides offer is exported.

import { Buffer } from "node:buffer";
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

export {
  after as afterAll,
  afterEach,
  before as beforeAll,
  beforeEach,
  describe,
  test,
} from "node:test";
export { expect };
