// Limits of the connect layer, with unit and reason.

/** First network descriptor: 0 to 2 are the standard streams everywhere. */
export const FIRST_NETWORK_DESCRIPTOR = 3;

/** First STP descriptor; everything below is a network descriptor (the two ranges are disjoint). */
export const FIRST_STP_DESCRIPTOR = 65536;

/** Open sockets of one mechanism in one connect layer; a job needs fewer than ten. */
export const OPEN_SOCKETS_MAX = 1024;
