// What stands between `stg format` and the data of others: who uses a medium is asked always, what
// is on it unless somebody insists. After a format that was insisted on, the marks that are still
// there are removed, so that no tool takes the medium for what it was and repairs it.
//
// Invariant: the ends of the medium are read before the format, and a mark is removed only when it
// was there before and still is. The first block is never touched: the format owns it.

import { AgentError } from "../ground/error.ts";
import type { Volume } from "../volume.ts";
import {
  findSignatures,
  HEAD_BYTES,
  type MediumEnds,
  type Signature,
  TAIL_BYTES,
} from "./medium_signature.ts";
import { UNIT_BYTES_MAX } from "./limits.ts";

/** What is on the medium. @throws (rejects) AgentError `volume` */
export async function readSignatures(volume: Volume): Promise<Signature[]> {
  return findSignatures(await readEnds(volume));
}

/** @throws AgentError `busy` when there is anything on the medium */
export function refuseSignatures(volume: Volume, found: readonly Signature[]): void {
  const first = found[0];
  if (first === undefined) return;
  throw new AgentError(
    "busy",
    `Cannot format volume "${volume.name}": found ${first.what} at byte ${first.offsetBytes}, ` +
      `need an unused device`,
    { hint: "Check the path; use --force to destroy what is there." },
  );
}

/** Removes what `readSignatures` found before the format and what the format left. */
export async function wipeSignatures(volume: Volume, before: readonly Signature[]): Promise<void> {
  for (const { what, offsetBytes, lengthBytes } of await readSignatures(volume)) {
    if (!before.some((old) => old.what === what && old.offsetBytes === offsetBytes)) continue;
    const start = offsetBytes - offsetBytes % UNIT_BYTES_MAX;
    const wanted = Math.ceil((offsetBytes + lengthBytes) / UNIT_BYTES_MAX) * UNIT_BYTES_MAX;
    const end = Math.min(wanted, volume.sizeBytes);
    if (start < UNIT_BYTES_MAX) continue;
    await volume.write(start, volume.allocate(end - start));
  }
}

async function readEnds(volume: Volume): Promise<MediumEnds> {
  const { sizeBytes } = volume;
  const head = volume.allocate(Math.min(HEAD_BYTES, sizeBytes));
  const tail = volume.allocate(Math.min(TAIL_BYTES, sizeBytes));
  await volume.read(0, head);
  await volume.read(sizeBytes - tail.length, tail);
  return { sizeBytes, head, tail };
}
