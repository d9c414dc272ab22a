// Limits of the server, with unit and reason.

/** Milliseconds for a validation: every wait of the flows, with a margin. */
export const VALIDATION_TIMEOUT_MS = 45_000;

/** Items of an expiry in one event: some 300 characters each, far below the longest line. */
export const EXPIRY_ITEMS_MAX = 500;
