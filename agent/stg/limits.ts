// Limits of the group service, with unit and reason.

/** Between two looks at a group's hosts and connections for the status views. */
export const STATUS_INTERVAL_MS = 2_000;
