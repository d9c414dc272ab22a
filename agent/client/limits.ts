// Limits of the client daemon, with unit and reason.

/** A storage set-up whose job has not come in this time never will: the flows run in parallel. */
export const SETUP_WAIT_MS = 15_000;

/** Storage set-ups that wait for their jobs; the jobs that may run at once are fewer. */
export const SETUP_WAIT_MAX = 32;
