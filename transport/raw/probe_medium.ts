// Finds out what a medium takes, by reading: the unit of offsets and lengths, and the alignment of
// memory. What drivers and file systems say about themselves differs by kernel and is often wrong;
// a read that succeeds is proof, and changes nothing.
//
// Invariant: nothing is written.

import { AgentError } from "../ground/error.ts";
import type { DirectIo } from "../runtime/direct_io.ts";
import { UNIT_BYTES_MAX, UNITS_BYTES } from "./limits.ts";

export interface ProbeParts {
  readonly name: string;
  /** Of a block device; no smaller unit is tried. Null for a file. */
  readonly logicalBlockBytes: number | null;
  readonly directIo: DirectIo;
  /** One direct read; rejects with an AgentError whose cause is "EINVAL" when it does not fit. */
  readonly read: (offsetBytes: number, into: Uint8Array) => Promise<void>;
}

export interface Alignment {
  readonly blockBytes: number;
  readonly memoryBytes: number;
}

/**
 * The medium must have at least two of the largest units.
 * @throws AgentError `unsupported` when no unit fits, `volume` when the medium cannot be read
 */
export async function probeMedium(parts: ProbeParts): Promise<Alignment> {
  const least = parts.logicalBlockBytes ?? 0;
  const memory = parts.directIo.allocate(3 * UNIT_BYTES_MAX);
  for (const blockBytes of UNITS_BYTES) {
    // At the second unit, so that the offset is as odd as it may be.
    if (blockBytes < least || !await fits(parts, blockBytes, memory.subarray(0, blockBytes))) {
      continue;
    }
    for (const memoryBytes of UNITS_BYTES) {
      const into = memory.subarray(memoryBytes, memoryBytes + blockBytes);
      if (await fits(parts, blockBytes, into)) return { blockBytes, memoryBytes };
    }
  }
  const found = parts.logicalBlockBytes === null
    ? "none of 512 and 4096 bytes is accepted"
    : `logical blocks of ${parts.logicalBlockBytes} bytes`;
  throw new AgentError(
    "unsupported",
    `Cannot use volume "${parts.name}": ${found}, need blocks of 512 or 4096 bytes`,
    { hint: "Give the group a device with logical blocks of at most 4096 bytes." },
  );
}

async function fits(parts: ProbeParts, offsetBytes: number, into: Uint8Array): Promise<boolean> {
  try {
    await parts.read(offsetBytes, into);
    return true;
  } catch (error) {
    if (error instanceof AgentError && error.cause === "EINVAL") return false;
    throw error;
  }
}
