// Limits of the server, with unit and reason.

/** Milliseconds for a validation: every wait of the flows, with a margin. */
export const VALIDATION_TIMEOUT_MS = 45_000;

/** Items of an expiry in one event: some 300 characters each, far below the longest line. */
export const EXPIRY_ITEMS_MAX = 500;

/** Items of a dry run in one event, and characters of their paths: its line has a limit. */
export const RESTORE_ITEMS_MAX = 500;
export const RESTORE_ITEM_CHARACTERS = 64 * 1024;

/** Items that a dry run lists: the daemon keeps them; the summary counts all. */
export const RESTORE_ITEMS_LISTED = 100_000;

/** Bytes of entries that a survey sends at once: with one more, within MAX_PARENT_CHUNK_BYTES. */
export const SURVEY_CHUNK_BYTES = 256 * 1024;

/** An entry of a survey without its names, in bytes: more than its varints ever take. */
export const SURVEY_ROW_BYTES = 100;

/** Lost entries that a restore tells of by name; all are counted. */
export const RESTORE_LOST_TOLD = 10_000;

/** Differences of a drill that are told by name; all are counted. */
export const DRILL_DIFFERENCES_TOLD = 1000;

/** Entries with something that a drill was not permitted to set, whose names it remembers. */
export const DRILL_UNPROVED_MAX = 100_000;

/** Damaged entries after which a drill ends: it remembers their names. */
export const DRILL_LOST_MAX = 100_000;

/** What is shown of archived logs is counted again after this time, in ms, when somebody asks. */
export const WAL_COUNT_AGE_MS = 15_000;

/**
 * The log of a base backup is in the archive after this time, in ms, or the backup is incomplete:
 * its last segment is archived while the backup ends, and a job must end, too.
 */
export const LOG_WAIT_MS = 60_000;

/** Between two looks for it, in ms. */
export const LOG_LOOK_MS = 200;

/** Segments that a base backup may span: of the smallest ones, a terabyte of log. */
export const LOG_SEGMENTS_MAX = 1024 * 1024;
