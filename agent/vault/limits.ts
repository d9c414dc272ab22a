// Limits of the vault.

/** Characters of a client's name that a backup id keeps: ids stay readable in a table. */
export const MAX_ID_CLIENT = 32;

/** Random characters of a backup id: 20 bits apart within one second and client. */
export const ID_RANDOM_CHARACTERS = 4;

/** Include globs of one restore: each is tried on every path. */
export const MAX_INCLUDES = 1000;

/** Directories whose selection is remembered while a plan is made. */
export const MAX_SELECTION_CACHE = 16_384;

/** Hard-link sets whose data lies outside a selection: their names are kept in memory. */
export const MAX_REDIRECTS = 100_000;

/** Entries that `agent find` lists: beyond that nobody reads on. */
export const MAX_FOUND = 100_000;

/** Differences that `agent diff` lists. */
export const MAX_DIFFERENCES = 1_000_000;

/** Rows of the catalog between two moments for the daemon's other work, a few ms. */
export const STEP_ROWS = 512;

/** Looks at a directory that is emptied: names that were moved under way come in the next one. */
export const MAX_REMOVAL_PASSES = 100;

/** Bytes that the mark of a drill may have: a line of JSON. */
export const MAX_DRILL_MARK_BYTES = 4096;

/** Findings that one verification lists; further ones are only counted. */
export const MAX_FINDINGS = 1000;

/** Paths that one finding names; further ones are only counted. */
export const MAX_FINDING_PATHS = 20;

/** Frames or rows between two progress events of a verification. */
export const VERIFY_STEP = 16;

/** A file system with less free bytes is full for SQLite, which grows its files by 32 KiB. */
export const FULL_BELOW_BYTES = 256 * 1024;

/**
 * Bytes of the spare file that is given up on a full disk: the index of SQLite's log (32 KiB) and
 * the few pages that marking some thousand backups as expired changes, many times over.
 */
export const RESERVE_BYTES = 1024 * 1024;

/** Free bytes below which the spare file is not made: it would be a good part of what is left. */
export const RESERVE_FREE_BYTES = 8 * RESERVE_BYTES;

/** A cut backup is given up after so many ms: the next weekly backup still goes on with it. */
export const MAX_CUT_AGE_MS = 8 * 86_400_000;
