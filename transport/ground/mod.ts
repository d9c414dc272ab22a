// The door of the ground: what every room may use and what itself uses no room.

export { assert, AssertionFailure } from "./assert.ts";
export { copyBytes, freeBytes, takeBytes } from "./byte_pool.ts";
export { cancellation, orCancelled, throwIfCancelled } from "./cancellation.ts";
export { Change } from "./change.ts";
export { crc32 } from "./crc32.ts";
export { type DeadlineOptions, type Sleeper, withDeadline } from "./deadline.ts";
export { equalBytes } from "./equal_bytes.ts";
export {
  AgentError,
  type AgentErrorOptions,
  ERROR_CODES,
  type ErrorCode,
  type ErrorRecord,
  fromErrorRecord,
  toErrorRecord,
} from "./error.ts";
export { decodeHex, encodeHex } from "./hex.ts";
export { isLoopback } from "./loopback.ts";
export { readExactly, readFull, readFullOrEnd } from "./read_exactly.ts";
export { writeAll } from "./write_all.ts";
