// Limits of encryption, each with unit and reason.

import { assert } from "../../transport/ground/assert.ts";
import { MAX_FRAME_BYTES, MAX_FRAME_TAR_BYTES } from "../media/limits.ts";

/** Plaintext bytes of one chunk of an age payload, by its specification. */
export const CHUNK_BYTES = 64 * 1024;

/** Tag bytes of each chunk. */
export const TAG_BYTES = 16;

/** Bytes of the random nonce before the chunks. */
export const NONCE_BYTES = 16;

/**
 * Tar bytes of a frame that is to be encrypted: each is an age file of its own, whose keys cost
 * 1 to 3 ms of processor time (measured), as much as compressing some hundred KiB.
 */
export const SEALED_FRAME_TAR_BYTES = MAX_FRAME_TAR_BYTES;

/** Bytes of an age header that is taken: twice what the most recipients need. */
export const MAX_HEADER_BYTES = 56 * 1024;

/** Identities in one file: old ones stay beside the present one, and each is tried. */
export const MAX_IDENTITIES = 100;

/** Bytes of a file of recipients or identities: the most of the longest, with comments. */
export const MAX_KEY_FILE_BYTES = 256 * 1024;

assert(
  MAX_FRAME_TAR_BYTES + MAX_HEADER_BYTES + (MAX_FRAME_TAR_BYTES / CHUNK_BYTES + 2) * TAG_BYTES <
    MAX_FRAME_BYTES,
  "an encrypted frame that did not compress is within the format's limit",
);
