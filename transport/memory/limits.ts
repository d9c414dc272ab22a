// Limits of the in-memory transport, with unit and reason.

/** Bytes on their way in one direction: small, so that tests meet backpressure early. */
export const PIPE_BYTES = 64 * 1024;

/** Connections that nobody accepted yet, unless the listener asks for fewer. */
export const BACKLOG_COUNT = 128;

/** First and last port given to a listener that asks for any: the dynamic range of TCP. */
export const FIRST_DYNAMIC_PORT = 49152;
export const LAST_PORT = 65535;
