// Limits of the tar codec, each with unit and reason.

/** Longest path or link target in bytes: 16 x PATH_MAX, for trees that only openat can reach. */
export const MAX_PATH_BYTES = 65_536;

/**
 * Longest body of one pax header in bytes: a path, a link target and their records fit, and a
 * peer cannot make us hold more.
 */
export const MAX_PAX_BYTES = 4 * MAX_PATH_BYTES;

/** Extents of one sparse map: 2 MiB of map text; a file with more is stored whole. */
export const MAX_SPARSE_EXTENTS = 65_536;

/** Bytes of one sparse map as text: two numbers of at most 17 bytes an extent, and the count. */
export const MAX_SPARSE_MAP_BYTES = MAX_SPARSE_EXTENTS * 34 + 1024;

/** Largest content of a member in bytes: what a number holds exactly. */
export const MAX_CONTENT_BYTES = Number.MAX_SAFE_INTEGER;
