// Limits of the catalog.

/** Milliseconds that a query or commit waits for another connection's commit (1 M rows: 10 s). */
export const BUSY_TIMEOUT_MS = 60_000;

/** SQLite's page cache in KiB: the memory of an import or a sort; the rest goes to disk. */
export const PAGE_CACHE_KIB = 16 * 1024;

/** The same for the rows of a backup that is not published yet. */
export const EARLY_CACHE_KIB = 2 * 1024;

/** Bytes that the write-ahead log keeps after a large import. */
export const JOURNAL_KEEP_BYTES = 64 * 1024 * 1024;

/** Directory ids that an import remembers: more than the walk has open at once at any depth. */
export const MAX_DIRECTORY_CACHE = 8192;

/** Entries that one listing returns: a directory larger than that is cut with an error. */
export const MAX_LISTED = 1_000_000;

/** Backups that an error names when a prefix fits several. */
export const MAX_NAMED = 5;

/** Rows that one transaction of an expiry removes: others wait for less than a second. */
export const EXPIRY_STEP_ROWS = 20_000;

/** Rows, or frames of them, of a cut backup between two moments for the job's other work. */
export const DRAFT_STEP_ROWS = 512;
