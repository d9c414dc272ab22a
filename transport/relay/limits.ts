// Limits of the relay between threads, with unit and reason.

/** Bytes of one chunk that crosses: the size that TCP moves best. */
export const CHUNK_BYTES = 256 * 1024;

/** Chunks on their way in one direction: two to be filled and emptied, two that cross. */
export const CHUNK_COUNT = 4;
