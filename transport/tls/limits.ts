// Limits of the TLS room, with unit and reason.

/** Bytes of one certificate: ours have 500, public ones rarely 4 KiB. */
export const CERTIFICATE_BYTES_MAX = 64 * 1024;

/** Names of one certificate that are looked at. */
export const CERTIFICATE_NAMES_MAX = 128;

/** Names that an error shows before it counts the rest. */
export const SHOWN_NAMES_MAX = 3;
