// Limits of raw volumes: sizes, queues and waits, each with its unit and reason.

import { assert } from "../ground/assert.ts";

/** Units in bytes that are tried, from the finest: sectors of old disks, then of new ones. */
export const UNITS_BYTES: readonly number[] = [512, 4096];

/** Largest unit: the records of the storage transport are blocks of 4096 bytes. */
export const UNIT_BYTES_MAX = 4096;

/** Requests in flight of one queue: rings of eight connections, each with eight frames. */
export const REQUESTS_MAX = 64;

/** Requests that wait for a place in the queue: more is a caller that does not wait for answers. */
export const WAITING_MAX = 1024;

/** A bounce buffer, in bytes; frames lie in memory of the volume and need none. */
export const BOUNCE_BYTES = 256 * 1024;

/** Bounce buffers of one queue: 4 MiB at most, made when first needed. */
export const BOUNCE_BUFFERS_MAX = 16;

/**
 * A request that is not answered for so long fails, in ms, unless who opens the volume says
 * otherwise: then quarantine of space must last longer than that.
 */
export const IO_TIMEOUT_MS = 30_000;

/** How often requests that are late are looked for, in ms. */
export const LATE_CHECK_MS = 100;

/** A closed queue looks for the answers to what was given up with such pauses, in ms. */
export const LATE_PAUSE_MS_FIRST = 1000;
export const LATE_PAUSE_MS_MAX = 60_000;

/** A wait for an answer inside the kernel, in microseconds: the thread is held up so long. */
export const WAIT_US = 100;

/** Without an answer for so long, in ms, the thread sleeps between looks. */
export const AWAKE_MS = 2;

/** First and longest such sleep, in ms: a disk that takes 10 ms is noticed within 1.1 ms. */
export const SLEEP_MS_FIRST = 1;
export const SLEEP_MS_MAX = 16;

/**
 * The event loop runs at least this often while answers come in, in ms. A turn takes 0.25 ms under
 * Deno: each 2 ms they were most of the processor time of a stream.
 */
export const TURN_MS_MAX = 8;

/** Microtasks that run before a look, so that callers who got their answer ask again first. */
export const MICROTASKS_PER_LOOK = 8;

assert(UNITS_BYTES.at(-1) === UNIT_BYTES_MAX, "the last unit tried is the largest");
assert(BOUNCE_BYTES % UNIT_BYTES_MAX === 0, "a bounce buffer is whole units");
assert(BOUNCE_BUFFERS_MAX <= REQUESTS_MAX, "each bounce buffer can be in flight");
assert(WAIT_US / 1000 < TURN_MS_MAX, "a look is shorter than a turn");
