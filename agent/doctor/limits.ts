// Limits of the examination, with unit and reason.

/** A certificate that ends within so many days is told: time for a person to make another. */
export const EXPIRY_WARNING_DAYS = 30;

/** Free bytes of a directory below which it is doubtful, and below which nothing works. */
export const FREE_BYTES_LOW = 5 * 1024 ** 3;
export const FREE_BYTES_MIN = 64 * 1024 ** 2;

/** Requests of asynchronous I/O that should be free: 32 jobs with 64 on each of two volumes. */
export const AIO_REQUESTS_MIN = 4096;

/** ms that a peer has to answer: it stands on the same LAN. */
export const PEER_MS = 5000;

/** Peers that are asked: a server of thousands of clients is not to be kept waiting. */
export const PEERS_MAX = 50;

/** Clients whose clocks are compared, and ms that each has: its channels are set up for that. */
export const CLOCK_PEERS_MAX = 10;
export const VALIDATION_MS = 15_000;

/** ms by which another's time may be ahead of our clock. */
export const CLOCK_AHEAD_MS = 120_000;
