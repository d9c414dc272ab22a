// Limits of the array, each with its unit and reason. Sizes that are part of the stored formats
// (track, record, cylinder, band) stand here too: changing one is a new format version.

import { assert } from "../transport/ground/assert.ts";

/** Smallest unit of host I/O and of the record bitmaps; the page size, so copies stay aligned. */
export const RECORD_BYTES = 4096;
/** A bitmap of records must fit 16 bits: in cache and write pending share one 32-bit word. */
export const RECORDS_PER_TRACK = 16;
/** One cache slot: large enough for streaming, small enough for a useful least recent use. */
export const TRACK_BYTES = RECORD_BYTES * RECORDS_PER_TRACK;
/** Two bits per track (in cache, write pending) must fit the 32-bit word of a cylinder. */
export const TRACKS_PER_CYLINDER = 16;
/** A cylinder lies whole on one board: most requests then need one lock. */
export const CYLINDER_BYTES = TRACK_BYTES * TRACKS_PER_CYLINDER;
/** 1 TiB has 1024 bands: a director looks at 1024 counts, then at 1024 cylinders, never more. */
export const CYLINDERS_PER_BAND = 1024;

/** Devices of one array: a label's index and the device table stay within one page or so. */
export const MAX_VOLUMES = 256;
/** 16 TiB of addresses over all devices: the track tables then take 2 GiB of sparse space. */
export const MAX_ARRAY_BYTES = 16 * 2 ** 40;
/** More boards than this bring no more parallel accesses on machines of this size. */
export const MAX_BOARDS = 16;
/** Two streaming processes seldom meet on eight boards: a tenth faster than on four (measured). */
export const DEFAULT_BOARDS = 8;
/** Rings of eight STP connections at 2 MiB each way fit twice over. */
export const DEFAULT_CACHE_BYTES = 64 * 2 ** 20;
/** Slot numbers plus one stay far below 2^31, and a free list is walked in milliseconds. */
export const MAX_SLOTS_PER_BOARD = 32768;
/** A mapping is one ArrayBuffer: JavaScriptCore ends at 4 GiB. */
export const MAX_BOARD_BYTES = 2 ** 32 - TRACK_BYTES;
/** `array.json` with the most devices is below 32 KiB. */
export const MAX_GEOMETRY_FILE_BYTES = 64 * 1024;
/** Free space wanted on the memory file system beyond the slots: tables that get touched. */
export const MEMORY_SLACK_BYTES = 8 * 2 ** 20;

/** Attempts at a board's lock before the thread starts to sleep: about 30 us, a short hold. */
export const LOCK_SPINS = 64;
/** Sleep between attempts after that, milliseconds: about what the kernel's timer can do. */
export const LOCK_SLEEP_MS = 0.1;
/** After this a holder counts as stopped and the request fails as busy, milliseconds. */
export const LOCK_WAIT_MS = 2000;
/** Wait for another process that creates, removes or destages the array at its end, ms. */
export const ATTACH_WAIT_MS = 10_000;
/** Wait for array.lock alone: longer than a status holds it to see whether it is free, ms. */
export const PROBE_WAIT_MS = 15;
/** Tries of a validated read without the lock before it is repeated under the lock. */
export const READ_TRIES = 8;
/** Slots looked at to find one to give up: exact least recent use in small caches, O(1) always. */
export const EVICTION_SAMPLE_SLOTS = 16;

/** Tracks staged ahead at first: little is lost when the reader ends just there. */
export const PREFETCH_FIRST_TRACKS = 2;
/** Tracks staged ahead at most, one device read of 1 MiB: the next cylinder is on another board. */
export const PREFETCH_MOST_TRACKS = TRACKS_PER_CYLINDER;
/** Share of a board's slots staged ahead under one hold: none at all in a cache of a few slots. */
export const PREFETCH_SHARE = 1 / 8;
/** Holds of the lock for which a slot that was used is not given up for what is only ahead. */
export const PREFETCH_KEEP_HOLDS = 4;
/** Sequential readers that one host is watched for: the connections of a busy job. */
export const PREFETCH_STREAMS = 8;

/** Rows of the host table: attachments beyond them work, but have no figures of their own. */
export const MAX_HOST_ROWS = 64;
/** A host publishes its figures with each of its first so many requests, then once per so many. */
export const PUBLISH_REQUESTS = 64;

/** The disk director wakes this often, milliseconds: an idle one costs well below 0.1 % CPU. */
export const DIRECTOR_TICK_MS = 500;
/** One that stands by looks this often whether the active one is gone, milliseconds. */
export const STANDBY_TICK_MS = 2000;
/** Ticks since its last write after which a track is destaged (2 s: rings rewrite sooner). */
export const DESTAGE_IDLE_TICKS = 4;
/** Ticks after which a track is destaged although it is still being rewritten (30 s). */
export const DESTAGE_MAX_TICKS = 60;
/** Share of write-pending slots above which age no longer matters: misses need clean slots. */
export const DESTAGE_HIGH_SHARE = 0.5;
/** Tracks destaged under one hold of a board's lock: about 100 us, then the hosts get a turn. */
export const TRACKS_PER_HOLD = 4;
/** Bins of the picture of one device: 16 rows of 64 cells, 1 GiB each for a device of 1 TiB. */
export const MAP_BINS = 1024;
/** Findings that a check lists per board: a damaged table would fill the terminal. */
export const MAX_FINDINGS_PER_BOARD = 100;
/** The pending map is read in pieces of this many bytes: 32768 tracks. */
export const PENDING_SCAN_BYTES = 64 * 1024;
/** Runs of lost records that a check lists: whoever has more needs the count, not the list. */
export const MAX_LOST_RUNS = 1000;
/** Tracks looked at under one hold: bounds the hold when nothing is due yet. */
export const SCAN_PER_HOLD = 256;

/** Rules of `faults.json`: more than a trial needs, and each is looked at for each access. */
export const MAX_FAULT_RULES = 64;
/** The file with the most rules, each of about 300 bytes. */
export const MAX_FAULT_FILE_BYTES = 64 * 1024;
/** Ids, and times that a rule fires: they are stored in 32 bits. */
export const MAX_FAULT_COUNT = 10 ** 9;
/** Characters of a host's name in a rule. */
export const MAX_FAULT_HOST_CHARACTERS = 253;
/** The thread stands still, with its heartbeats: well below the usual dead time, milliseconds. */
export const MAX_FAULT_LATENCY_MS = 1000;
/** The same under a board's lock, ms: a request on a cylinder may destage as many tracks. */
export const MAX_FAULT_LATENCY_UNDER_LOCK_MS = 100;
/** Records of which a stale read may return older content: two images each, 8 MiB per host. */
export const MAX_STALE_RECORDS = 1024;
/** Wait for another process that counts a fault, milliseconds: it holds the lock for about 5 us. */
export const FAULT_COUNT_WAIT_MS = 20;

assert(
  MAX_FAULT_LATENCY_UNDER_LOCK_MS * TRACKS_PER_CYLINDER < LOCK_WAIT_MS,
  "a slow device is no board that is held for ever",
);
assert(RECORDS_PER_TRACK <= 16 && TRACKS_PER_CYLINDER <= 16, "two bitmaps fit one 32-bit word");
assert(DESTAGE_IDLE_TICKS < DESTAGE_MAX_TICKS, "the age limit lies beyond the idle limit");
assert(
  PREFETCH_KEEP_HOLDS * PREFETCH_SHARE < 1,
  "one reader alone leaves slots that may be given up for it",
);
