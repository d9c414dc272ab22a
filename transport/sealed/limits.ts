// Limits of encrypted connections, with unit and reason.

import { AEAD_TAG_BYTES } from "../runtime/mod.ts";

/** Bytes of a sealed record before its ciphertext: the length. */
export const RECORD_HEAD_BYTES = 4;

/** Bytes of a whole record: one frame of the storage, which has 256 KiB. */
export const RECORD_BYTES_MAX = 256 * 1024;

/** Plaintext of one record, in bytes. */
export const PLAIN_BYTES_MAX = RECORD_BYTES_MAX - RECORD_HEAD_BYTES - AEAD_TAG_BYTES;

/** How long `close` waits for what was written to be taken, in ms: as a step of a set-up. */
export const CLOSE_MS_MAX = 15_000;
