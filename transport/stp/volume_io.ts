// Reads and writes of shared volumes whose failure names the volume.
//
// Invariants: a synchronous volume stays synchronous (undefined comes back, nothing is allocated).
// A failed assertion is a bug and no failing medium: it passes as it is.

import { AssertionFailure } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion, Volume } from "../volume.ts";

/** @throws (or rejects) AgentError `volume` */
export function readVolume(volume: Volume, offsetBytes: number, into: Uint8Array): Completion {
  try {
    const pending = volume.read(offsetBytes, into);
    return pending === undefined ? undefined : named(pending, volume, "read");
  } catch (cause) {
    throw volumeError(volume, "read", cause);
  }
}

/** @throws (or rejects) AgentError `volume` */
export function writeVolume(volume: Volume, offsetBytes: number, from: Uint8Array): Completion {
  try {
    const pending = volume.write(offsetBytes, from);
    return pending === undefined ? undefined : named(pending, volume, "write");
  } catch (cause) {
    throw volumeError(volume, "write", cause);
  }
}

async function named(pending: Promise<void>, volume: Volume, verb: string): Promise<void> {
  try {
    await pending;
  } catch (cause) {
    throw volumeError(volume, verb, cause);
  }
}

const HINT = "Check the path to the storage with `agent stg status`.";

function volumeError(volume: Volume, verb: string, cause: unknown): Error {
  if (cause instanceof AssertionFailure) return cause;
  if (cause instanceof AgentError && cause.code === "volume") return cause;
  const found = cause instanceof Error ? cause.message : String(cause);
  // A volume that names itself, place and reason has said all but the code.
  const told = cause instanceof AgentError && found.includes(`"${volume.name}"`);
  return new AgentError(
    "volume",
    told ? found : `Cannot ${verb} volume "${volume.name}": ${found}, need a medium that answers`,
    { cause, hint: (told ? cause.hint : undefined) ?? HINT },
  );
}
