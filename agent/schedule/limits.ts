// Limits of schedules, with unit and reason.

import { assert } from "../../transport/ground/assert.ts";

/** Characters of a calendar expression: five fields with long lists fit. */
export const CRON_LENGTH_MAX = 256;

/** Characters of a time zone's name: the longest of the IANA database has 30. */
export const TIME_ZONE_LENGTH_MAX = 64;

/** Parts that scheduled verifications cut the vault into: one a day for ten years. */
export const PARTS_MAX = 3_650;

/**
 * ms between two looks at the wall clock while nothing is due: it may have been set, and the
 * machine may have slept, which no timer tells.
 */
export const LOOK_MS = 30_000;

/** A turn is on time for so long, in ms: later it was missed. */
export const ON_TIME_MS = 120_000;

/**
 * A settled turn may lie so far in the future, in ms, because the clock was set back: the same
 * turn does not come twice then. One that is further away was settled by a clock that was wrong.
 */
export const CLOCK_BACK_MS = 3_600_000;

/** Turns that are counted as missed at once: with minutes between them, most of a day. */
export const MISSED_MAX = 1_000;

/**
 * A run that found its daemon or its server busy is tried again after a time between these, in
 * ms: chance spreads what many clients had scheduled for the same minute.
 */
export const RETRY_MIN_MS = 60_000;
export const RETRY_MAX_MS = 300_000;

/**
 * A late run that does not find its peer is tried again for so long, in ms: both may come back from
 * the same loss of power, and a server that checks its disks first takes some minutes more.
 */
export const AWAIT_PEER_MS = 900_000;

/** ms from a change to the writing of the file: many jobs that begin at once are one writing. */
export const SAVE_DELAY_MS = 1_000;

/** Bytes of the file with what was run last: ten thousand schedules fit. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** Characters of an error that the file and the status keep. */
export const MESSAGE_LENGTH_MAX = 1_024;

assert(RETRY_MAX_MS * 2 < AWAIT_PEER_MS, "a peer that is awaited is looked for more than once");
assert(LOOK_MS * 2 < ON_TIME_MS, "a turn that no timer tells of is still on time");
