// Writes everything that is write pending to the device files, durably (`array destage`).

import type { ArrayParts } from "./array_directory.ts";
import { closeArray, openArray } from "./open_array.ts";

/**
 * May run while hosts are attached; what they write meanwhile may stay pending.
 * @returns count of tracks written
 * @throws AgentError as `attachArray`; `volume` | `no_space` when a device cannot be written
 */
export function destageArray(directory: string, parts: ArrayParts): { readonly tracks: number } {
  const array = openArray(directory, parts, { hostName: "agent" });
  try {
    return { tracks: array.director.destageAll(array.boards) };
  } finally {
    closeArray(array);
  }
}
