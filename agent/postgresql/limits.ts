// Limits of the PostgreSQL room, each with its unit and reason.

/** Bytes asked of the socket at once: some messages of a base backup (32 KiB each). */
export const READ_BYTES = 256 * 1024;

/** Longest message in bytes; the server's own are far shorter, manifests come in parts. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A read waits so long for the server, in ms: the event loop stands still meanwhile. */
export const READ_WAIT_MS = 5;

/** A query is taken within so many ms, or the server is stuck. */
export const WRITE_WAIT_MS = 10_000;

/** From the connection to the first prompt, in ms: authentication takes far less. */
export const LOG_IN_MS = 30_000;

/** First version with the messages of base backups that are read here. */
export const MIN_VERSION = 15;

/** Columns of a row: the widest answer read here has four. */
export const MAX_COLUMNS = 64;

/** Bytes of a cluster's control file. */
export const CONTROL_FILE_BYTES = 8192;
