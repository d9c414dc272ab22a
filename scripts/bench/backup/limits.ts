// Sizes and limits of the backup benchmark.

/** Bytes of a small file, and of a large one. */
export const SMALL_BYTES = 10_000;
export const LARGE_BYTES = 1_000_000_000;

/** Bytes of each of very many files: what they say in the tar stream is their header. */
export const MILLION_FILE_BYTES = 200;

/** Small files of one directory. */
export const FILES_PER_DIRECTORY = 1000;

/** Bytes of the file that is restored alone. */
export const ONE_BYTES = 1000;

/**
 * Every fourth block is random, the others are words: what the whole compresses to about a half,
 * as trees of documents, programs and pictures do.
 */
export const BLOCK_BYTES = 2500;
export const RANDOM_EACH = 4;

/** What the smallest file takes on most file systems. */
export const FILE_SYSTEM_BLOCK_BYTES = 4096;

/**
 * Free space that is needed, as a multiple of the data: source, one archive, and a restore of each
 * peer, kept until the round is over.
 */
export const SPACE_FACTOR = 6.5;

/**
 * ext4 gives out no inode again that was freed within a minute, and passes over each of them
 * whenever a file is made: a restore right after a large tree was removed measures that.
 */
export const INODES_FREE_MS = 61_000;

/** Memory that the processes of any contestant take beside the data, at most. */
export const PROCESSES_BYTES = 512 * 1024 * 1024;

/** What a process of the agent may take, in MiB. */
export const RESIDENT_MIB_MAX = 300;
