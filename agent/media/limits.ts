// Limits of the media format: everything a damaged or hostile file could make large has one.

import { assert } from "../../transport/ground/assert.ts";

/** Largest content of one zstd frame in bytes: what a restore decompresses for a small file. */
export const MAX_FRAME_TAR_BYTES = 4 * 1024 * 1024;

/** Largest zstd frame in bytes: content that does not compress, plus zstd's worst-case overhead. */
export const MAX_FRAME_BYTES = MAX_FRAME_TAR_BYTES + 64 * 1024;

/** Frames of one group: an index frame is written at the latest after so many. */
export const MAX_GROUP_FRAMES = 64;

/** Row bytes after which a group is closed: keeps the writer's memory flat with small files. */
export const GROUP_ROWS_BYTES = 1024 * 1024;

/**
 * Tar bytes after which a group is closed: what the death of the server loses of a backup that the
 * next one goes on with, for the rows of an open group are in memory only.
 */
export const GROUP_TAR_BYTES = 16 * 1024 * 1024;

/** Row bytes of one frame: 8192 members of a 512-byte header at most, each with a 4 KiB path. */
export const MAX_FRAME_ROWS_BYTES = 48 * 1024 * 1024;

/** Payload of one index frame in bytes: a reader allocates so much at most. */
export const MAX_GROUP_INDEX_BYTES = GROUP_ROWS_BYTES + MAX_FRAME_ROWS_BYTES + 64 * 1024;

/** Label text in bytes: 1000 paths and excludes of 4 KiB. */
export const MAX_LABEL_BYTES = 4 * 1024 * 1024;

/** Backups that the label of an incremental one names; ids are some 40 bytes. */
export const MAX_NEEDS_LISTED = 1000;

/** Trailer payload in bytes: the list of skipped paths is the large part. */
export const MAX_TRAILER_BYTES = 16 * 1024 * 1024;

/** Skipped paths that a trailer lists; further ones are only counted. */
export const MAX_SKIPPED_LISTED = 1000;

/** Characters of a skipped path or reason that a trailer keeps. */
export const MAX_SKIPPED_TEXT = 4096;

/** Entries of a seek table: 16 TiB of tar in 4 MiB frames; 32 MiB of memory. */
export const MAX_SEEK_ENTRIES = 4 * 1024 * 1024;

assert(
  MAX_SKIPPED_LISTED * 2 * MAX_SKIPPED_TEXT < MAX_TRAILER_BYTES,
  "the longest list of skipped paths fits into a trailer",
);
assert(MAX_GROUP_INDEX_BYTES < 2 ** 32, "a skippable frame's size is a 32-bit number");
