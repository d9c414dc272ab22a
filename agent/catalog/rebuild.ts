// Makes the catalog again from the media files alone, into a new database beside the old one. The
// same import as publication, in the order of publication, so that every listing is identical.

import type { MediaReader } from "../media/mod.ts";
import { Catalog } from "./catalog.ts";

/** What is needed to know the order of publication. */
export interface RebuildSource {
  readonly number: number;
  readonly backup: string;
  /** Opens the media file; the rebuild closes it. */
  readonly open: () => MediaReader;
}

export interface RebuildReport {
  readonly imported: readonly string[];
  readonly failed: readonly { readonly backup: string; readonly error: Error }[];
}

/**
 * Imports all media into the catalog, which must be empty. A media file that cannot be read is
 * reported and left out.
 * @throws AgentError `no_space` | `failed` when the catalog itself cannot be written
 */
export function rebuildCatalog(
  catalog: Catalog,
  sources: readonly RebuildSource[],
): RebuildReport {
  const ordered = [...sources].sort((a, b) =>
    a.number - b.number || (a.backup < b.backup ? -1 : 1)
  );
  const imported: string[] = [];
  const failed: { backup: string; error: Error }[] = [];
  for (const source of ordered) {
    try {
      using media = source.open();
      catalog.import(media);
      imported.push(source.backup);
    } catch (error) {
      if (!isDamage(error)) throw error;
      failed.push({ backup: source.backup, error });
    }
  }
  return { imported, failed };
}

function isDamage(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "damaged";
}
