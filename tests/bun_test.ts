// Lets one test file run under both runtimes: Bun has "bun:test" built in, Deno maps that
// name to this module (deno.json, "imports"). Only what both sides offer is exported.

export {
  after as afterAll,
  afterEach,
  before as beforeAll,
  beforeEach,
  describe,
  test,
} from "node:test";
export { expect } from "expect";
