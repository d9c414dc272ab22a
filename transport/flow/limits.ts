// Limits of the connection flows, with unit and reason.

import { assert } from "../ground/assert.ts";
import type { ArrivalLimits } from "../runtime/mod.ts";

/** Zeros of steps 90/120 (the figure says "a string of zeros"; both sides must know its length). */
export const ZEROS_BYTES = 16;

/** A stranger must send the zeros, or a descriptor, within this time. */
export const FIRST_BYTES_TIMEOUT_MS = 5_000;

/** One step that waits for the peer; SMC allows 6 s for a handshake, a busy host needs more. */
export const STEP_TIMEOUT_MS = 15_000;

/** A peer that gave up says why at once; a peer that is gone says nothing. */
export const REASON_TIMEOUT_MS = 2_000;

/** A message of set-up is a name, some uuids and a token; this leaves room for 16 volumes. */
export const MESSAGE_BYTES_MAX = 16 * 1024;

/** Characters of a reason why there is no port; the sender cuts longer ones. */
export const REASON_LENGTH_MAX = 1024;

/** Characters of a name: of a job, a host, a group; a configuration allows no longer ones. */
export const NAME_LENGTH_MAX = 64;

/** Random token of a job: it ties the connections of a job together. */
export const TOKEN_BYTES = 16;

/** Random secret of an encrypted storage connection: a key for each direction. */
export const SECRET_BYTES = 64;

/** Parallel streams of a database job; each takes an endpoint of the group at both ends. */
export const STREAMS_MAX = 16;

/**
 * New connections that a well-known port takes: a server that starts all its jobs at once makes
 * fewer from one address. What is above waits outside, unanswered.
 */
export const ARRIVALS: ArrivalLimits = {
  perAddress: { burst: 40, perSecond: 16 },
  total: { burst: 128, perSecond: 64 },
};

/** Connections that may be half set up; more are closed at once. */
export const HALF_OPEN_MAX = 128;

/** Of these, from one address: more than a server that starts all its jobs at once has. */
export const HALF_OPEN_PER_ADDRESS_MAX = 64;

assert(ARRIVALS.perAddress.burst < HALF_OPEN_PER_ADDRESS_MAX, "a burst has places");
assert(HALF_OPEN_PER_ADDRESS_MAX < HALF_OPEN_MAX, "one address cannot have all places");

/** Backlog of the well-known ports. */
export const BACKLOG = 64;
