// Limits of the runtime seam, each with its unit and reason.

/** Longest path in bytes with its closing NUL: the kernel's own limit (PATH_MAX). */
export const PATH_BYTES = 4096;

/** Buffer of one directory read, in bytes: some 2000 short names a call. */
export const DIRECTORY_BUFFER_BYTES = 64 * 1024;

/** Longest name of an extended attribute in bytes with its closing NUL: the kernel's own limit. */
export const XATTR_NAME_BYTES = 256;

/** Bytes of the names of nearly every object: the kernel takes memory for what it is asked. */
export const XATTR_LIST_BYTES = 1024;

/** Bytes of one value, and of all names of one object: the kernel's limits of both. */
export const XATTR_BYTES = 64 * 1024;

/** Most bytes moved by one read or write call: Linux's own limit (MAX_RW_COUNT). */
export const IO_BYTES = 0x7fff_f000;

/** Most bytes of a TCP connection held in our own memory, each direction: one good chunk. */
export const TCP_BUFFER_BYTES = 256 * 1024;

/** Connections that were accepted but not yet taken, per listener, unless it asks for fewer. */
export const BACKLOG_COUNT = 128;

/** A TLS handshake and the greeting after it, in ms: a stranger may hold a place for so long. */
export const TLS_HANDSHAKE_MS = 5000;

/**
 * Handshakes under way at a listener; more connections are turned away at once. Above what one
 * address can begin in TLS_HANDSHAKE_MS at the rate of the well-known ports.
 */
export const TLS_HANDSHAKES_MAX = 128;

/** Addresses whose arrivals a listener counts; the one that is silent for longest goes first. */
export const ARRIVAL_ADDRESSES_MAX = 1024;

/**
 * Addresses that are refused by name; more, and everybody is. A filter of so many of IPv6 has 10
 * KiB: the kernel takes 20.
 */
export const ARRIVAL_REFUSED_MAX = 256;

/** How often we look whether somebody may come in again, in ms. */
export const ARRIVAL_LOOK_MS = 250;

/** Ciphertext read at a time: a few records of 16 KiB. */
export const TLS_CIPHERTEXT_BYTES = 64 * 1024;

/** How long `close` waits for one more byte or the end of the peer's direction, in ms. */
export const CLOSE_IDLE_MS = 100;

/** How long `close` discards what a peer goes on sending, in ms, before it gives up. */
export const CLOSE_LINGER_MS = 1000;

/** Standard output full: pause before the next try, in ms. */
export const OUTPUT_RETRY_MS = 2;

/** Tries before output to a reader that stopped reading is given up: 30 s at OUTPUT_RETRY_MS. */
export const OUTPUT_RETRY_COUNT = 15_000;

/** Descriptors looked through for that of a connection (tcp_reset.ts): above any ulimit used. */
export const DESCRIPTOR_COUNT = 65_536;

/**
 * Open descriptors of one thread that are noted: a job has some 20, and one for each directory
 * level. Those beyond stay open when the thread is ended in the middle of its work.
 */
export const THREAD_DESCRIPTORS_MAX = 256;

/** How often we look whether a thread that was ended is gone, in ms: it takes 1 to 20. */
export const THREAD_END_POLL_MS = 2;

/** How long we look, in ms: Deno lets a busy thread go on for 2 s before it cuts it off. */
export const THREAD_END_WAIT_MS = 5000;

/** How long a datagram waits for room at its receiver, in ms: the main thread stands still. */
export const DATAGRAM_SEND_MS = 200;

/**
 * How often, and how long, we go on looking for one that the kernel holds, in ms: a disk that does
 * not answer for an hour keeps its threads until the process ends.
 */
export const THREAD_LATE_POLL_MS = 1000;
export const THREAD_LATE_WAIT_MS = 3_600_000;

/** Memory for direct I/O is mapped in pieces of this many bytes; small buffers share one. */
export const IO_CHUNK_BYTES = 1024 * 1024;

/** Bytes from which a piece of it lies in huge pages, and the size of one. */
export const IO_LARGE_BYTES = 64 * 1024;
export const HUGE_PAGE_BYTES = 2 * 1024 * 1024;
