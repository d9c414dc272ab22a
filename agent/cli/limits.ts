// Limits of the command line, each with its unit and reason.

/** Milliseconds before a lost event stream is opened again. */
export const RESUME_DELAY_MS = 500;
/** Attempts to resume in a row: a daemon that restarts is back within this many delays. */
export const MAX_RESUME_ATTEMPTS = 10;
/** Seconds between two plain progress lines where no terminal shows a bar. */
export const PLAIN_PROGRESS_SECONDS = 5;
/** Warnings that are shown as text; the rest is counted. `--json` shows all. */
export const MAX_SHOWN_WARNINGS = 50;
/** Columns of text where no terminal tells its width. */
export const DEFAULT_COLUMNS = 110;
/** Columns below which the ladder is not squeezed any further. */
export const MIN_LADDER_COLUMNS = 80;
/** Columns above which the ladder is not widened any further. */
export const MAX_LADDER_COLUMNS = 160;
/** Volumes of one array that `array create` takes. */
export const MAX_ARRAY_VOLUMES = 256;
/** Memory boards of one array that `array create` takes. */
export const MAX_ARRAY_BOARDS = 64;

/** Bytes of a file of exclude patterns: thousands of them. */
export const MAX_RULES_FILE_BYTES = 1024 * 1024;
