// Limits of the server, with unit and reason.

/** Milliseconds for a validation: every wait of the flows, with a margin. */
export const VALIDATION_TIMEOUT_MS = 45_000;
