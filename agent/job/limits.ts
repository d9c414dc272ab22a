// Limits of jobs and their links, with unit and reason.

import { assert } from "../../transport/ground/assert.ts";
import { MAX_PARENT_CHUNK_BYTES } from "../application/limits.ts";
import { MAX_RUNNING } from "../config/limits.ts";
import { MAX_PATH_BYTES } from "../tar/limits.ts";

/** Tar bytes in one frame; the media format promises independent frames of at most this. */
export const FRAME_TAR_BYTES_MAX = 4 * 1024 * 1024;

/** A message on a link: a frame that did not compress, its rows, and room for their growth. */
export const LINK_MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** A document on a link (control, status): redirects of a restore are the longest. */
export const LINK_DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;

/** Characters of the name of a file of a write-ahead log: segment, position, suffix. */
export const WAL_NAME_LENGTH_MAX = 48;

/** Bytes of such a file: segments are 16 MiB unless `initdb --wal-segsize` made them larger. */
export const WAL_FILE_BYTES_MAX = 64 * 1024 * 1024;

/** The same as one zstd frame, when it does not compress. */
export const WAL_FRAME_BYTES_MAX = WAL_FILE_BYTES_MAX + (WAL_FILE_BYTES_MAX >> 7) + 1024;

/** Bytes of a piece of a file on a link: few messages, and little memory for each. */
export const PIECE_BYTES_MAX = 1024 * 1024;

/**
 * Characters of a message or a hint on a link: it names a path of 4 KiB or two, and says what was
 * found there. The sender cuts longer ones in the middle.
 */
export const TEXT_LENGTH_MAX = 16 * 1024;

/** Characters of a code of a warning: words of ours, of this release or a later one. */
export const CODE_LENGTH_MAX = 64;

/** Bytes of the path of a warning: the longest one below the longest target. */
export const WARNING_PATH_BYTES_MAX = MAX_PATH_BYTES + 8 * 1024;

/** Bytes of one row of an index: its head, and a directory, a name and a target. */
export const ROW_BYTES_MAX = 1024 + 3 * MAX_PATH_BYTES;

/** Bytes of the verdicts on a chunk of rows: a row has a byte at least. */
export const VERDICTS_BYTES_MAX = MAX_PARENT_CHUNK_BYTES;

/** Paths, or rules, of a backup: a request has up to 10,000, a configuration adds up to 1,000. */
export const SOURCE_ITEMS_MAX = 16_384;

/** Redirects of a restore: what a document holds of the shortest ones. */
export const REDIRECTS_MAX = LINK_DOCUMENT_BYTES_MAX / 32;

/** Steps in one trace: a storage set-up that is tried for ten minutes, each half second. */
export const TRACE_STEPS_MAX = 16_384;

/** Characters of the number of a step of a figure: "240-244". */
export const STEP_LENGTH_MAX = 32;

/** Characters of the call of a step: addresses, a name, or why there was none. */
export const CALL_LENGTH_MAX = 8 * 1024;

/** Characters that the steps of a job may have, each with so many beside its call. */
export const JOB_STEPS_CHARACTERS_MAX = 8 * 1024 * 1024;
export const STEP_CHARACTERS = 100;

/**
 * Characters of the warnings that are kept of a job: thousands of usual ones. A daemon remembers
 * hundreds of jobs, and peers write these.
 */
export const JOB_WARNING_CHARACTERS_MAX = 1024 * 1024;

/** Characters of the paths that a backup names as skipped; more are only counted. */
export const SKIPPED_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Events kept of a job, for watchers that come late; older progress is dropped first. */
export const JOB_EVENTS_MAX = 2_000;

/** Ended jobs that a daemon remembers. */
export const ENDED_JOBS_MAX = 500;

/**
 * Jobs of peers and validations that run at once: as many as the peer itself may run. Each has a
 * worker thread of some 50 MiB.
 */
export const PEER_JOBS_MAX = MAX_RUNNING;

/**
 * Connections that carry a write-ahead log, beside the jobs: each has a worker thread and
 * endpoints of its own; clients have few clusters.
 */
export const STANDING_JOBS_MAX = 64;

/** Time between two progress messages: often enough for a bar, rare enough to cost nothing. */
export const PROGRESS_INTERVAL_MS = 250;

/** Warnings whose text a backup keeps; more are only counted. */
export const WARNINGS_MAX = 10_000;

/** STP endpoints of a job on one group: the listener and the connection. */
export const ENDPOINTS_PER_JOB = 2;

/** A job that was asked to stop gets this long to end by itself before its thread is ended. */
export const CANCEL_GRACE_MS = 5_000;

/** Time that the first pass over the source may take to count files for the progress bar. */
export const SCAN_LIMIT_MS = 1_500;

/**
 * Records, and their bytes, that a sender keeps while they may be lost with the storage channel.
 * It is several times what the channel and the receiver hold at once, so that it never stalls a
 * receiver that keeps up.
 */
export const WINDOW_RECORDS_MAX = 256;
export const WINDOW_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Records of one stream of a restore that are under way or wait for its program: some for the way,
 * and few enough that all streams together fit into memory with frames of 4 MiB.
 */
export const STREAM_RECORDS_MAX = 3;

/** A receiver says how far it got after so many records, or so many bytes of them. */
export const CURSOR_RECORDS = 16;
export const CURSOR_BYTES = 4 * 1024 * 1024;

/** Time to tell the peer why a job failed. */
export const TELL_TIMEOUT_MS = 2_000;

/** The watch of a job's network counts moments of this length, in ms. */
export const NETWORK_MOMENT_MS = 1_000;

/** Moments between two signs of life on a job's network. */
export const NETWORK_BEAT_MOMENTS = 3;

/**
 * Moments without a word after which a job's network counts as cut: longer than most flushes of the
 * vault's disk hold up a thread, since connecting again for nothing is a warning in the log, and
 * much shorter than TCP's own patience.
 */
export const NETWORK_SILENCE_MOMENTS = 15;

/**
 * A network that was cut must be connected again within this time, in ms: a switch that restarts a
 * port forwards again after 30 to 50 s, and a host that is away for longer has restarted, its jobs
 * with it. It is no dead time of a group: that says when storage may be taken from a host, and a
 * job that waits here takes nothing from anybody.
 */
export const REJOIN_LIMIT_MS = 60_000;

/** One try to connect again, in ms: the peer's thread may be busy with a disk. */
export const REJOIN_TRY_MS = 10_000;

/** Pauses between tries grow from the first to the second, in ms. */
export const REJOIN_PAUSE_MIN_MS = 250;
export const REJOIN_PAUSE_MAX_MS = 4_000;

/**
 * The side that is connected to waits for so long, in ms: the other may notice the cut later by a
 * silence, and its last try takes its time.
 */
export const REJOIN_WAIT_MS = REJOIN_LIMIT_MS + REJOIN_TRY_MS +
  NETWORK_SILENCE_MOMENTS * NETWORK_MOMENT_MS;

/**
 * The thread of an ended job is kept for the next one for so long: commands and schedules come in
 * groups, and a daemon that has nothing to do gives its memory back.
 */
export const SPARE_THREAD_MS = 300_000;

/** A worker's connections and volumes may take this long to close after its job. */
export const CLOSE_GRACE_MS = 2_000;

/**
 * Frames that a job has compressed or decompressed at once: one for each processor and one more, so
 * that none of them waits for the thread of the job. Each takes some 4 MiB.
 */
export function framesInWork(processors: number): number {
  return Math.min(processors, PROCESSORS_USED_MAX) + 1;
}
const PROCESSORS_USED_MAX = 8;

/** Characters of the detail of a fallback that a peer sends. */
export const DETAIL_LENGTH_MAX = 4096;

assert(CURSOR_RECORDS * 4 <= WINDOW_RECORDS_MAX, "several cursors come back within a window");
assert(NETWORK_BEAT_MOMENTS * 5 <= NETWORK_SILENCE_MOMENTS, "single signs of life may be late");
assert(CURSOR_BYTES * 4 <= WINDOW_BYTES_MAX, "several cursors come back within a window");
assert(
  TEXT_LENGTH_MAX + WARNING_PATH_BYTES_MAX < JOB_WARNING_CHARACTERS_MAX,
  "a job keeps its newest warning",
);
assert(
  2 * TRACE_STEPS_MAX * 2 * STEP_CHARACTERS <= JOB_STEPS_CHARACTERS_MAX,
  "a job keeps the usual steps of both sides",
);
