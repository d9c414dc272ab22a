// Limits of certificates, each with its unit and reason.

const DAY_MS = 86_400_000;

/** Life of a CA: all hosts need new files when it ends. */
export const AUTHORITY_LIFE_MS = 3_650 * DAY_MS;

/** Life of a host's certificate: a stolen key is of use for so long unless its peers revoke it. */
export const HOST_LIFE_MS = 730 * DAY_MS;

/** A certificate is valid from this long before it was made: clocks of hosts differ. */
export const CLOCK_SKEW_MS = 3_600_000;

/** Bytes of a serial number: random, so that two authorities never agree by chance. */
export const SERIAL_BYTES = 16;

/** Addresses of one certificate: a host has a few. */
export const ADDRESSES_MAX = 64;

/** Bytes of a PEM file that is read. */
export const PEM_BYTES_MAX = 64 * 1024;
