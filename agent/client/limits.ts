// Limits of the client daemon, with unit and reason.

import { assert } from "../../transport/ground/assert.ts";
import { COMMAND_GRACE_MS } from "../application/limits.ts";
import { CANCEL_GRACE_MS } from "../job/limits.ts";

/** A storage set-up whose job has not come in this time never will: the flows run in parallel. */
export const SETUP_WAIT_MS = 15_000;

/** A hook that is to end gets this long before it is killed, in ms: less than a cancelled job. */
export const HOOK_GRACE_MS = 1_000;

/** Characters of what a hook says on standard error that a message keeps: the last ones. */
export const HOOK_TEXT_MAX = 2_000;

/** Storage set-ups that wait for their jobs; the jobs that may run at once are fewer. */
export const SETUP_WAIT_MAX = 32;

/** Files of one write-ahead log that are asked for at once: PostgreSQL asks for one at a time. */
export const WAL_REQUESTS_MAX = 4;

/** Files of a log that are carried before they are asked for, either way: a second of work. */
export const WAL_AHEAD_MAX = 4;

/** Bytes of fetched frames that are held, beside one more: four segments that do not compress. */
export const WAL_AHEAD_BYTES_MAX = 64 * 1024 * 1024;

/** What was carried and not asked for is given up after this time, in ms: the recovery is over. */
export const WAL_AHEAD_KEEP_MS = 60_000;

/** A file of a log is kept, or here, after this time, in ms: set-up, dead time and a slow disk. */
export const WAL_REQUEST_MS = 90_000;

assert(
  2 * Math.max(HOOK_GRACE_MS, COMMAND_GRACE_MS) < CANCEL_GRACE_MS,
  "a cancelled job kills its programs before its thread is ended",
);
