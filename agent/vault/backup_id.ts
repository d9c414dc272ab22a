// Backup ids: sortable by start time, readable, fit for a file name and unique enough that two
// clients never meet: `20261122T171500Z-web01-x7k2`. Pure.

import { ID_RANDOM_CHARACTERS, MAX_ID_CLIENT } from "./limits.ts";

/** 32 characters that are hard to mistake for one another. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Random bytes that `backupId` wants. */
export const ID_RANDOM_BYTES = ID_RANDOM_CHARACTERS;

/**
 * @param startedMs milliseconds since 1970, UTC
 * @param random ID_RANDOM_BYTES random bytes
 */
export function backupId(
  startedMs: number,
  options: { readonly client: string; readonly random: Uint8Array },
): string {
  const time = new Date(startedMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const client = options.client.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, MAX_ID_CLIENT);
  const tail = Array.from(options.random, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
  return `${time}-${client}-${tail}`;
}
