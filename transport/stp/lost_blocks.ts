// Reads of blocks of which the medium may have lost some: a cache that lost its power, a sector
// that cannot be read any more.
//
// Invariant: a volume whose superblock can be read answers; what cannot be read on it is lost, and
// counts as never written until its owner writes it again. Superblocks are made durable by the
// format and not written after it, so a volume without one does not answer, and fails as before.

import { AgentError } from "../ground/error.ts";
import type { Volume } from "../volume.ts";
import { BLOCK_BYTES } from "./limits.ts";
import { readVolume } from "./volume_io.ts";

/** Indices of the blocks that are lost; they were read as zeros. */
export type LostBlocks = ReadonlySet<number>;

export const NONE_LOST: LostBlocks = new Set();

/**
 * Reads whole blocks.
 * @returns undefined when all were read at once (synchronous volume)
 * @throws (or rejects) AgentError `volume` when the volume does not answer
 */
export function readBlocks(
  volume: Volume,
  offsetBytes: number,
  into: Uint8Array,
): Promise<LostBlocks> | undefined {
  try {
    const pending = readVolume(volume, offsetBytes, into);
    if (pending === undefined) return undefined;
    return pending.then(
      () => NONE_LOST,
      (error: unknown) => readAround(volume, offsetBytes, into, error),
    );
  } catch (error) {
    return readAround(volume, offsetBytes, into, error);
  }
}

async function readAround(
  volume: Volume,
  offsetBytes: number,
  into: Uint8Array,
  failure: unknown,
): Promise<LostBlocks> {
  if (!(failure instanceof AgentError)) throw failure;
  await readVolume(volume, 0, volume.allocate(BLOCK_BYTES));
  const lost = new Set<number>();
  for (let at = 0; at < into.length; at += BLOCK_BYTES) {
    const block = into.subarray(at, at + BLOCK_BYTES);
    try {
      await readVolume(volume, offsetBytes + at, block);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      block.fill(0);
      lost.add(at / BLOCK_BYTES);
    }
  }
  return lost;
}
