// Limits of the group service, with unit and reason.

import { assert } from "../../transport/ground/assert.ts";

/** Between two looks at a group's connections and endpoints for the status views, in ms. */
export const STATUS_INTERVAL_MS = 2_000;

/**
 * Pauses before a group that is down is tried again, in ms: soon, since a process that was stopped
 * is well at once; later rarely, since each try reads the volumes and attaches the array.
 */
export const RETRY_MS_FIRST = 500;
export const RETRY_MS_MAX = 30_000;

/** The end of the daemon waits this long for a group whose volumes do not answer, in ms. */
export const CLOSE_MS_MAX = 5_000;

assert(RETRY_MS_FIRST <= RETRY_MS_MAX, "pauses grow");
