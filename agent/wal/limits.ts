// Limits of the room of write-ahead logs, each with its unit and reason.

/** Bytes of a segment at least and at most, by PostgreSQL itself; a power of two. */
export const MIN_SEGMENT_BYTES = 1024 * 1024;
export const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;

/** Bytes of a history file at most: a line of 40 to 1100 for each timeline that there ever was. */
export const MAX_HISTORY_BYTES = 4 * 1024 * 1024;

/** Bytes of a `.backup` file at most: nine lines, one of them a name of up to 1024 characters. */
export const MAX_BACKUP_FILE_BYTES = 64 * 1024;

/** Bytes that the range of a backup may have beside its media: a line of JSON. */
export const MAX_BACKUP_RANGE_BYTES = 4096;

/** Ranges of a timeline, and findings of an archive, that a report lists; all are counted. */
export const MAX_LISTED_RANGES = 100;
export const MAX_LISTED_FINDINGS = 1000;

/** Files of a listing between two moments for other work, a few ms. */
export const LIST_STEP_FILES = 512;
