// Limits of a configuration file, each with its unit and reason.

import { assert } from "../../transport/ground/assert.ts";

/** Bytes of one configuration file: thousands of clients fit; a wrong file is refused early. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Problems that are reported at once; more than a person reads helps nobody. */
export const MAX_PROBLEMS = 100;
/** Bytes of a host, client, group, volume or database name: it becomes part of file names. */
export const MAX_NAME_BYTES = 64;
/** Bytes of a host name or address (RFC 1035). */
export const MAX_ADDRESS_BYTES = 253;
/** Bytes of a path: Linux PATH_MAX without the closing NUL. */
export const MAX_PATH_BYTES = 4095;
/** Bytes of a file's name: Linux NAME_MAX. */
export const MAX_FILE_NAME_BYTES = 255;
/** Rules of what the backups of a client leave out: each is held against each name. */
export const MAX_EXCLUDE_RULES = 1_000;
/** Bytes of a Unix socket's path: sun_path of sockaddr_un holds 108 with the closing NUL. */
export const MAX_SOCKET_PATH_BYTES = 107;
/** Storage transport groups of one host; each costs heartbeats and a poll. */
export const MAX_STGS = 16;
/** Volumes of one group: frames stripe over all of them. */
export const MAX_VOLUMES = 64;
/** Largest host id; the group's geometry, fixed by `stg format`, may allow fewer. */
export const MAX_HOST_ID = 64;
/** Clients of one server. */
export const MAX_CLIENTS = 10_000;
/** Databases of one client. */
export const MAX_DATABASES = 1_000;
/** Words of a command that backs up or restores a database, or of a hook. */
export const MAX_COMMAND_WORDS = 256;
/** Characters of one such word: Linux limits one argument to 128 KiB. */
export const MAX_COMMAND_WORD_BYTES = 128 * 1024 - 1;
/** Ports below are privileged or well known; a dynamic range there would collide. */
export const MIN_DYNAMIC_PORT = 1024;
/** Ports of a dynamic range: a database job needs one, several jobs run at once. */
export const MIN_DYNAMIC_PORTS = 16;
/** Milliseconds that a hook may take; a dump of a database takes hours. */
export const MIN_HOOK_TIMEOUT_MS = 100;
export const DEFAULT_HOOK_TIMEOUT_MS = 300_000;
export const MAX_HOOK_TIMEOUT_MS = 86_400_000;
/** Milliseconds to wait for the storage channel before the fallback. */
export const DEFAULT_WAIT_MS = 5_000;
export const MAX_WAIT_MS = 600_000;
/** Milliseconds between heartbeats of a host in its group, and until a silent one is dead. */
export const DEFAULT_HEARTBEAT_MS = 1_000;
export const DEFAULT_DEAD_TIME_MS = 10_000;
export const MIN_HEARTBEAT_MS = 100;
export const MAX_DEAD_TIME_MS = 600_000;
/** A host is declared dead only after it missed this many heartbeats. */
export const MIN_HEARTBEATS_PER_DEAD_TIME = 3;
/** Jobs that a daemon starts at once: each has a worker thread of some 50 MiB. */
export const DEFAULT_MAX_RUNNING = 8;
export const MAX_RUNNING = 32;
/** Jobs that wait for their turn: a server may ask for a backup of each of its clients at once. */
export const DEFAULT_MAX_QUEUED = 1_000;
export const MAX_QUEUED = 100_000;
/** Schedules of one daemon: one for each client, and some more. */
export const MAX_SCHEDULES = MAX_CLIENTS + 100;
/** Paths and excludes of one schedule. */
export const MAX_SCHEDULE_ITEMS = 1_000;
/** zstd levels: above 19 a level needs memory that the agent does not have. */
export const MIN_COMPRESSION_LEVEL = 1;
export const MAX_COMPRESSION_LEVEL = 19;
export const DEFAULT_COMPRESSION_LEVEL = 3;
/** Recipients of one client: each adds up to 1.7 KB to every frame of a backup. */
export const MAX_RECIPIENTS = 16;

assert(
  DEFAULT_DEAD_TIME_MS >= DEFAULT_HEARTBEAT_MS * MIN_HEARTBEATS_PER_DEAD_TIME,
  "the default dead time spans enough heartbeats",
);

/** Time between full backups of a client, in ms: an hour to ten years. */
export const MIN_FULL_EVERY_MS = 3_600_000;
export const MAX_FULL_EVERY_MS = 10 * 365 * 86_400_000;

/** Backups of a client of which one is full: a chain stays short enough to restore by hand. */
export const MAX_FULL_EVERY_COUNT = 10_000;

/** Backups or periods that one rule of a retention keeps: a backup an hour for ten years. */
export const MAX_KEEP_COUNT = 100_000;

/** Time that `keep_within` reaches back, in ms: an hour to a century. */
export const MIN_KEEP_WITHIN_MS = 3_600_000;
export const MAX_KEEP_WITHIN_MS = 100 * 365 * 86_400_000;

/** Directories that a client is confined to. */
export const MAX_ALLOWED_PATHS = 100;
