// Limits of the storage transport: every table, buffer, name and wait, with unit and reason.
//
// Invariants (asserted at the end of this file, when the module loads):
//  1. All records that are read whole (superblock, host, control, proof) fit one block.
//  2. The smallest layout fits the smallest volume that the documentation promises.
//  3. Sizes that go to disk are whole blocks.

import { assert } from "../ground/assert.ts";

/** Unit of every region, in bytes: one writer per block, and 4 KiB also suits 4Kn devices. */
export const BLOCK_BYTES = 4096;

/** Bytes of a record that carry meaning; the rest of its block is zero. One sector on 512e. */
export const RECORD_BYTES = 512;

/** Where the CRC-32 of a record stands: its last word, over everything before. */
export const RECORD_CRC_OFFSET = 508;

/** Version of everything on disk. A volume of another version is refused. */
export const FORMAT_VERSION = 2;

/** Volumes of one group: the superblock lists all their uuids in one record. */
export const VOLUMES_MAX = 16;

/** Bytes (UTF-8) of the name of a group or host: they stand in fixed fields. */
export const NAME_BYTES_MAX = 64;

/** Bytes (UTF-8) of the reason in an aborted control block; longer reasons are cut. */
export const REASON_BYTES_MAX = 128;

/** Hosts of a group: a listener reads one control area per live host in each poll. */
export const HOSTS_DEFAULT = 8;
export const HOSTS_MIN = 4; // two daemons, and `stg bench` claims two more
export const HOSTS_MAX = 64;

/** Endpoints of a host; a connection uses one, a listening socket another. */
export const ENDPOINTS_DEFAULT = 16;
export const ENDPOINTS_MIN = 4;
export const ENDPOINTS_MAX = 64;

/** Slots of one transmit ring over all volumes: 2 MiB stay in the CPU cache, 8 MiB do not. */
export const RING_SLOTS_DEFAULT = 8;
export const RING_SLOTS_MIN = 4;
export const RING_SLOTS_MAX = 64;

/**
 * Descriptors of unacknowledged frames in a control block, behind its record: one for each frame
 * in flight.
 */
export const FRAME_ENTRIES = RING_SLOTS_MAX;
export const FRAME_ENTRY_BYTES = 32;
export const FRAME_TABLE_OFFSET = 512;

/** Behind the table: room for the payload of one small frame, which then needs no slot. */
export const INLINE_OFFSET = FRAME_TABLE_OFFSET + FRAME_ENTRIES * FRAME_ENTRY_BYTES;
export const INLINE_BYTES_MAX = BLOCK_BYTES - INLINE_OFFSET;

/** Payload bytes of a frame: 128-256 KiB were measured best; small volumes take less. */
export const PAYLOAD_BYTES_DEFAULT = 256 * 1024;
/** The same where a volume is no memory of this machine: requests cost more than the cache does. */
export const PAYLOAD_BYTES_DISTANT = 1024 * 1024;
export const PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_DISTANT;
export const PAYLOAD_BYTES_MIN = 64 * 1024;

/** Slots begin at a multiple of this: no payload straddles what a medium handles whole. */
export const EXTENT_ALIGN_BYTES = 1024 * 1024;

/** Smallest volume that can be formatted, whatever the count of volumes. */
export const VOLUME_BYTES_MIN = 16 * 1024 * 1024;

/**
 * Frames up to this many bytes have any length; larger ones are whole blocks, so that they go out
 * from the writer's buffer, and into the reader's, without a copy.
 */
export const ODD_BYTES_MAX = 32 * 1024;

/**
 * Bytes in flight of all connections of a worker on one group: what one ring has, so that all of
 * them together stay in the CPU cache.
 */
export const BUDGET_BYTES = RING_SLOTS_DEFAULT * PAYLOAD_BYTES_DEFAULT;
export const BUDGET_BYTES_DISTANT = RING_SLOTS_DEFAULT * PAYLOAD_BYTES_DISTANT;

/**
 * Frames in flight of each connection, whatever its share: two are read, and acknowledged together,
 * while two are written. With two of them each frame has an acknowledgement and a look of its own,
 * which costs eight connections more than the larger footprint does (measured).
 */
export const FRAMES_MIN = 4;

/** A connection that sent nothing for so long, in ms, has no share in the budget. */
export const SHARE_MS = 100;

/**
 * While so many payloads of a connection are being written to each volume, further bytes gather in
 * one frame, up to its full length. With two, a stream took 2.2 requests for each 256 KiB; with one
 * it takes 1.6.
 */
export const GATHER_WRITES = 1;

/** Frames read ahead on asynchronous volumes: a MiB or more hides a round trip to the device. */
export const PREFETCH_FRAMES = 4;

/**
 * An announced frame that does not prove itself is read again this long, in ms, before the writer
 * is asked for it: longer than a path shows old bytes after a write was complete. Each further
 * request waits twice as long, up to the maximum.
 */
export const ASK_MS_FIRST = 20;
export const ASK_MS_MAX = 1000;

/** What a peer wrote and told must show on a volume within this time, in ms: paths may be slow. */
export const SHOW_TIMEOUT_MS = 2000;

/** It is written again after so long, in ms, while the peer may not have found it. */
export const SHOW_AGAIN_MS = 200;

/** Refusals a listening block can show at once; the oldest goes first. */
export const REFUSALS_MAX = 8;

/** Connections a listener keeps for `accept`, whatever backlog was asked for. */
export const BACKLOG_MAX = 64;

/** Bytes of a connection token: it is only ever hashed, so this bounds the message it came in. */
export const TOKEN_BYTES_MAX = 256;

/** Dynamic ports; the range is the one that the Internet reserves for such use. */
export const DYNAMIC_PORT_FIRST = 49152;
export const PORT_MAX = 65535;

/** Dynamic ports handed to a worker for each endpoint of its lease: it may bind again. */
export const PORTS_PER_ENDPOINT = 4;

/**
 * Uses of one endpoint in a lease after which those of the next one may need the block to tell
 * them apart: a job makes a few. The 32 bits of a generation hold a million leases of such.
 */
export const USES_PER_LEASE = 4096;
export const LEASE_GENERATION_MAX = 2 ** 31;

/** Re-reads of a control area in which a block was torn before it counts as read. */
export const AREA_READS_MAX = 16;

/** Polls without giving up the thread: 20-50 us when nobody else wants it. */
export const SPIN_POLLS_MAX = 100;
/** The first of them do not even look at the clock: that would cost a third of a poll. */
export const BLIND_POLLS_MAX = 16;
export const SPIN_MS_MAX = 0.04;

/**
 * Then the event loop runs between polls, this long; then the thread sleeps. It must outlast the
 * first sleep, which really takes 2.2 ms in Deno: two ends that fall asleep before the other is
 * awake again sleep in turns for ever (measured with 1.5 ms: 4 GB/s instead of 11).
 */
export const YIELD_MS_MAX = 4;
export const YIELD_POLLS_MAX = 2000;

/**
 * Two polls of a waiting thread that lie so far apart: somebody else had the processor. For a while
 * it then dozes between polls after a short time, so that others, the peer among them, get it: two
 * ends that spin on a busy machine take it from each other (measured: a seventh of the speed at
 * eight times the cost). On a quiet one dozing would cost a quarter of the speed.
 */
export const CROWDED_GAP_MS = 1.5;
export const CROWDED_MS = 200;
export const CROWDED_YIELD_MS_MAX = 0.2;
export const DOZE_MS = 0.03;

/**
 * After a wait of so long, in ms, an end counts on the next one to be long too, unless the peer
 * waited as well: many times what a peer takes that only moves bytes.
 */
export const PATIENT_AFTER_MS = 1;

/**
 * First and longest sleep between polls. What a poll costs is the waking of the thread; the longest
 * sleep keeps a message that ends a silence, and its answer, within 50 ms.
 */
export const SLEEP_MS_FIRST = 1;
export const SLEEP_MS_MAX = 44;

/** Longest sleep, in ms, while the answer to a message that ended a silence may come. */
export const ANSWER_SLEEP_MS_MAX = 2;

/** Longest dead time that is believed of a host block, in ms: a wait that follows it ends. */
export const DEAD_MS_MAX = 3_600_000;

/**
 * Looks without a beat that make a death, at least: one that comes late, after a pause of ours,
 * counts as one of them. A waiting connection looks at its peer so often in the dead time.
 */
export const LOOKS_PER_DEATH = 4;

/** Longest watch of a status that is asked for, in ms: a person waits for it. */
export const STATUS_WATCH_MS_MAX = 30_000;

/** Looks of a claimer that end because somebody else just acted; then it leaves the id alone. */
export const CLAIM_ROUNDS_MAX = 3;

/** Beats in a row that find a late write of an earlier holder and write over it. */
export const LATE_WRITES_MAX = 3;

/** Writes of a last word that is read back: a medium loses few of them in a row. */
export const LAST_WRITES_MAX = 4;

/** Continuous traffic gives up the thread at least this often, in ms. */
export const TURN_MS_MAX = 2;

assert(RECORD_CRC_OFFSET + 4 === RECORD_BYTES, "the CRC is the last word of a record");
assert(RECORD_BYTES <= BLOCK_BYTES, "a record fits its block");
assert(160 + VOLUMES_MAX * 16 <= RECORD_CRC_OFFSET, "the superblock lists every volume");
assert(PAYLOAD_BYTES_DEFAULT % BLOCK_BYTES === 0, "payloads are whole blocks");
assert(YIELD_MS_MAX > 2.5 * SLEEP_MS_FIRST, "an awake end waits until a sleeping one is back");
assert(PAYLOAD_BYTES_MIN % BLOCK_BYTES === 0, "payloads are whole blocks");
assert(ODD_BYTES_MAX <= PAYLOAD_BYTES_MIN, "a frame of any length fits every slot");
assert(FRAMES_MIN <= RING_SLOTS_MIN, "each connection can have its least share");
assert(FRAME_TABLE_OFFSET >= RECORD_BYTES, "the frame table lies behind the record");
assert(INLINE_BYTES_MAX >= 1024, "frame table and an inline payload fit the control block");
assert(
  HOSTS_MIN * ENDPOINTS_MIN * RING_SLOTS_MIN * PAYLOAD_BYTES_MIN + EXTENT_ALIGN_BYTES +
      (1 + HOSTS_MIN + 2 * HOSTS_MIN * ENDPOINTS_MIN) * BLOCK_BYTES <= VOLUME_BYTES_MIN,
  "the smallest layout fits the smallest volume",
);
assert(
  ENDPOINTS_MAX * PORTS_PER_ENDPOINT <= PORT_MAX - DYNAMIC_PORT_FIRST + 1,
  "every endpoint of a host can have its ports",
);
