// Limits that every implementation of the stream contract shares, with unit and reason.

/** Size of the chunks of `Conn.readable`, in bytes: one good chunk of the mechanisms. */
export const STREAM_CHUNK_BYTES = 64 * 1024;
