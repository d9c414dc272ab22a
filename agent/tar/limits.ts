// Limits of the tar codec, each with unit and reason.

/** Longest path or link target in bytes: 16 x PATH_MAX, for trees that only openat can reach. */
export const MAX_PATH_BYTES = 65_536;

/**
 * Names and values of all extended attributes of one object, in bytes: 256 of the largest (64 KiB)
 * that the kernel takes. Both ends hold them at once.
 */
export const MAX_XATTR_BYTES = 16 * 1024 * 1024;

/**
 * What records add to attributes, in bytes: names (64 KiB in all) as three, the text of an access
 * control list as 2.5 of its bytes, and the key and length of each of some 20,000 attributes.
 */
const XATTR_RECORDS_BYTES = 4 * 1024 * 1024;

/**
 * Names of one directory as GNU.dumpdir in bytes: some millions. A directory with more is stored
 * without it, so that GNU tar alone does not see what was deleted from it.
 */
export const MAX_DUMPDIR_BYTES = 64 * 1024 * 1024;

/**
 * Longest body of one pax header in bytes: a path, a link target, extended attributes, the names of
 * a directory and their records fit, and a peer cannot make us hold more.
 */
export const MAX_PAX_BYTES = MAX_DUMPDIR_BYTES + 4 * MAX_PATH_BYTES + MAX_XATTR_BYTES +
  XATTR_RECORDS_BYTES;

/** Longest key of a record in bytes: the name of an attribute has 255, each written as three. */
export const MAX_PAX_KEY_BYTES = 1024;

/** Extents of one sparse map: 2 MiB of map text; a file with more is stored whole. */
export const MAX_SPARSE_EXTENTS = 65_536;

/** Bytes of one sparse map as text: two numbers of at most 17 bytes an extent, and the count. */
export const MAX_SPARSE_MAP_BYTES = MAX_SPARSE_EXTENTS * 34 + 1024;

/** Largest content of a member in bytes: what a number holds exactly. */
export const MAX_CONTENT_BYTES = Number.MAX_SAFE_INTEGER;
