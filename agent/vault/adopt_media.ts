// Takes media files up into a catalog that does not know them, in the order in which they were
// published: what a crash cut off, and all of them when the catalog is made again.

import { AgentError } from "../../transport/ground/error.ts";
import type { Catalog } from "../catalog/mod.ts";
import { isUnreadable } from "../media/mod.ts";
import type { MediaStore } from "./media_store.ts";

/** What became of one media file. */
export type Adoption =
  | { readonly backup: string; readonly error: null }
  /** It could not be read, or what it builds on is not there: it is left alone. */
  | { readonly backup: string; readonly error: AgentError };

/**
 * Yields what became of each file.
 * @throws AgentError when the catalog cannot be written
 */
export function* adoptMedia(
  store: MediaStore,
  catalog: Catalog,
  backups: readonly string[],
): Generator<Adoption> {
  const found: { backup: string; number: number }[] = [];
  for (const backup of backups) {
    const error = attempt(store, backup, () => {
      using media = store.open(backup);
      if (media.label.backup !== backup) throw misnamed(backup, media.label.backup);
      found.push({ backup, number: media.trailer.number });
    });
    if (error !== null) yield { backup, error };
  }
  for (const { backup } of found.sort((a, b) => a.number - b.number)) {
    const error = attempt(store, backup, () => {
      using media = store.open(backup);
      catalog.import(media);
    });
    yield { backup, error };
  }
}

/** What is wrong with the file; anything else is thrown on. */
function attempt(store: MediaStore, backup: string, body: () => void): AgentError | null {
  try {
    body();
    return null;
  } catch (error) {
    if (error instanceof AgentError && error.code === "busy") return error;
    if (!isUnreadable(error)) throw error;
    return error instanceof AgentError ? error : store.unreadable(backup, error);
  }
}

function misnamed(file: string, label: string): AgentError {
  return new AgentError("damaged", `Cannot adopt media "${file}": its label says "${label}"`, {
    hint: "Give the file the name that its label says.",
  });
}
