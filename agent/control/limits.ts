// Limits of the control endpoint and its client, each with its unit and reason.

import { assert } from "../../transport/ground/assert.ts";
import type { ArrivalLimits } from "../../transport/runtime/mod.ts";
import { WAL_FILE_BYTES_MAX } from "../job/limits.ts";

/** Bytes of a request body: a job request with thousands of paths fits. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
/** Bytes of a file of a write-ahead log: the largest that a job carries. */
export const MAX_WAL_REQUEST_BYTES = WAL_FILE_BYTES_MAX;
/** Bytes of a response that the client takes: the listing of a directory of a million names. */
export const MAX_RESPONSE_BYTES = 512 * 1024 * 1024;
/** Characters of one line of an event stream: an event with a very long path. */
export const MAX_EVENT_LINE_CHARACTERS = 1024 * 1024;
/** Milliseconds between comments on a silent event stream, so that a dead daemon is noticed. */
export const EVENT_KEEPALIVE_MS = 10_000;
/** Milliseconds without a byte after which the client gives the daemon up. */
export const CLIENT_IDLE_MS = 60_000;
/** Milliseconds that the probe of an existing socket waits for its owner. */
export const PROBE_TIMEOUT_MS = 2_000;
/** Items of a list in a job request. */
export const MAX_REQUEST_ITEMS = 10_000;
/** Characters of a text in a job request: Linux PATH_MAX is 4096 bytes. */
export const MAX_TEXT_CHARACTERS = 8_192;
/** Bytes of a token file: far more than can be guessed. */
export const MAX_TOKEN_BYTES = 2_000;
/** Bytes of a login, which a stranger may send: a token whose every letter JSON escapes fits. */
export const MAX_LOGIN_BYTES = 4 * 1024;
assert(2 * MAX_TOKEN_BYTES + '{"token":""}'.length <= MAX_LOGIN_BYTES, "a token can log in");
/** Characters of a token: fewer can be guessed. */
export const MIN_TOKEN_CHARACTERS = 16;
/** Bytes of a Unix socket's path (sun_path holds 108 with the NUL). */
export const MAX_SOCKET_PATH_BYTES = 107;
/** Milliseconds that an HTTP connection may stay open without a request. */
export const KEEP_ALIVE_MS = 5_000;

/** Parts that a verification is cut into: one a day for ten years. */
export const MAX_SUBSETS = 3650;

/** Entries that a drill takes when nobody says how many: a matter of seconds. */
export const DRILL_ENTRIES = 1000;
/** Largest seed of a drill's sample: 32 bits, which are easily typed again. */
export const MAX_SEED = 2 ** 32 - 1;

/** ms by which two hosts' clocks may differ: more than a busy one takes to answer. */
export const CLOCK_DIFFERENCE_MS = 5_000;

/** Connections at once: some browsers with their streams, and the command line. */
export const CONNECTIONS_MAX = 256;
/** Milliseconds that a connection may take to send the head of its next request. */
export const REQUEST_WAIT_MS = 5_000;
/**
 * Connections from one address, and from all, before newcomers wait: a page, the command line, and
 * programs that connect for each request. One address cannot have all places.
 */
export const CONTROL_ARRIVALS: ArrivalLimits = {
  perAddress: { burst: 96, perSecond: 24 },
  total: { burst: 192, perSecond: 96 },
};
const { burst, perSecond } = CONTROL_ARRIVALS.perAddress;
assert(burst + perSecond * REQUEST_WAIT_MS / 1000 < CONNECTIONS_MAX, "a place is left");
/** Milliseconds that the body of a request may take: 1 MiB over a slow line. */
export const BODY_WAIT_MS = 15_000;

/** Milliseconds that a browser stays logged in: a working day. */
export const SESSION_MS = 8 * 3600 * 1000;
/** Browsers logged in at once; the oldest login goes first. */
export const SESSIONS_MAX = 64;
/** Bytes of the secret of a session. */
export const SESSION_BYTES = 32;
/** Wrong tokens in a row that an address may send before it has to wait. */
export const FAILURES_MAX = 5;
/** Milliseconds after which an address may be wrong once more. */
export const FAILURE_REFILL_MS = 10_000;
/** Addresses whose failures are remembered; the oldest goes first. */
export const FAILURE_ADDRESSES_MAX = 1_024;

/** Characters of the name of a restore point: PostgreSQL takes 63 bytes. */
export const MAX_RESTORE_POINT_CHARACTERS = 63;
