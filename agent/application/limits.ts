// Limits of the applications, each with unit and reason.

import { assert } from "../../transport/ground/assert.ts";
import { MAX_PATH_BYTES } from "../tar/limits.ts";

/** Tar bytes that one zstd frame of the media format may hold. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;

/**
 * Tar bytes of the frames that we make: what a damaged frame costs, what a restore of one file
 * reads, and what both ends hold a few times over. Measured against 4 MiB on a tree of programs:
 * 1.7 % larger media, 40 MiB less resident memory.
 */
export const DEFAULT_FRAME_BYTES = 1024 * 1024;

/** Smallest frame that may be asked for, in bytes: below it frames cost more than they hold. */
export const MIN_FRAME_BYTES = 8 * 1024;

/** Readings of a small file that changes meanwhile; then the last is stored, with a warning. */
export const MAX_READ_TRIES = 3;

/**
 * Transmissions of a large file that changes meanwhile; then the last is stored, with a warning.
 * Each costs the whole file.
 */
export const MAX_STREAM_TRIES = 2;

/**
 * A change so short before the look at a file, in ms, may be followed by one with the same times:
 * kernels stamp by ticks of up to 10 ms, network file systems are slower.
 */
export const SETTLED_AFTER_MS = 100;

/** Entries after which a producer that finds nothing to send lets the event loop run. */
export const BREATHE_ENTRIES = 512;

/** Notes of one frame, as a count and in bytes of their paths: a message has a limit. */
export const MAX_FRAME_NOTES = 16_384;
export const MAX_FRAME_NOTE_BYTES = 1024 * 1024;

/** Bytes of parent rows that travel at once: some 5000 rows. */
export const PARENT_CHUNK_BYTES = 256 * 1024;

/** Largest chunk of parent rows that is taken: one row with the longest path and target fits. */
export const MAX_PARENT_CHUNK_BYTES = PARENT_CHUNK_BYTES + 256 * 1024;

/**
 * Directory descriptors that a walk or a restore holds at once: well below the usual limit of 1024
 * open files. Deeper levels close the outermost and open them again by "..".
 */
export const MAX_OPEN_DIRECTORIES = 64;

/** Files that a full backup holds open before the walk is at them. */
export const READ_AHEAD_FILES = 32;

/** The beginning of a file that is asked for ahead, in bytes: a larger one is read in sequence. */
export const READ_AHEAD_FILE_BYTES = 128 * 1024;

/**
 * Files with several names whose further names are still to come, held for hard links (about
 * 200 bytes each). Beyond it a further name is stored with its own data.
 */
export const MAX_LINKED_FILES = 500_000;

/** Extended attributes that one warning names: an object may have thousands. */
export const MAX_NAMED_XATTRS = 20;

/** Bytes of an ignore file: thousands of rules, each of which is held against each name below. */
export const MAX_IGNORE_FILE_BYTES = 64 * 1024;

/** Nested directories of one path: what MAX_PATH_BYTES can hold with one-byte names. */
export const MAX_DEPTH = 32_768;

/** Names that a restore tries for a temporary file before it gives up. */
export const MAX_TEMPORARY_TRIES = 10_000;

/**
 * Small files that a restore writes itself before it asks for a second thread, which takes a tenth
 * of a second to start, and 20 MiB.
 */
export const SECOND_WRITER_AFTER_FILES = 500;

/** Larger files, in bytes, are written by the job's thread: no processor is their limit. */
export const SMALL_FILE_BYTES_MAX = 128 * 1024;

/** Batches that the second thread has at once: one in work, one that waits for it. */
export const SMALL_FILE_SLOTS = 2;

/** Content of a batch, in bytes: the files of a frame of ours. */
export const SMALL_FILE_SLOT_BYTES = DEFAULT_FRAME_BYTES;

/** Directories that a restore has left, and whose files are still being written, all open. */
export const LEFT_DIRECTORIES_MAX = 64;

/** Between two looks whether the second thread has done its work, in ms: that of a few files. */
export const SECOND_WRITER_DOZE_MS = 0.1;

/** Milliseconds that a snapshot waits for a writer that holds the database. */
export const SQLITE_BUSY_MS = 10_000;

/** Entries between two looks at the clock while files are counted for progress. */
export const SCAN_CHECK_ENTRIES = 64;

assert(
  MAX_PARENT_CHUNK_BYTES >= PARENT_CHUNK_BYTES + 3 * MAX_PATH_BYTES,
  "a chunk takes the row that fills it: a directory, a name and a target",
);
assert(MIN_FRAME_BYTES <= DEFAULT_FRAME_BYTES, "the smallest frame is not above ours");
assert(DEFAULT_FRAME_BYTES <= MAX_FRAME_BYTES, "our frames are within the format");

/** Longest manifest of a PostgreSQL cluster, in bytes, held in memory: a million files. */
export const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

/**
 * How long a program may take to end when it is told to, in ms, before it is killed: less than a
 * cancelled job has (CANCEL_GRACE_MS), for its end would leave the program.
 */
export const COMMAND_GRACE_MS = 2000;

/** Bytes that are read from a named pipe at once. */
export const PIPE_READ_BYTES = 256 * 1024;

/** Bytes that the kernel keeps of a named pipe: what users other than root may ask for. */
export const PIPE_BYTES = 1024 * 1024;

/** Looks at an idle named pipe that let the event loop run, before pauses grow to so many ms. */
export const PIPE_YIELDS = 16;
export const PIPE_PAUSE_MAX_MS = 10;

/** The end of a program's standard error that is shown, in characters. */
export const COMMAND_TEXT_MAX = 2000;

/** Bytes of a cluster's postgresql.auto.conf: hundreds of settings. */
export const MAX_SETTINGS_BYTES = 1024 * 1024;
