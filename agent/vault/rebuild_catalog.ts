// Makes the catalog again from the media files alone, beside the old one, and puts it in its place.
//
// The old write-ahead log goes before the new file comes: SQLite would read it into that. A crash
// in between leaves a catalog that is rebuilt again, or adopts the media that it does not know. One
// that ends before takes the new file away; after a kill the next start of the vault does.

import { AT_CWD, SystemError } from "../../transport/runtime/files.ts";
import type { Files } from "../../transport/runtime/files.ts";
import { Catalog } from "../catalog/mod.ts";
import { type Adoption, adoptMedia } from "./adopt_media.ts";
import { applyMarks } from "./apply_marks.ts";
import { MediaStore } from "./media_store.ts";
import { vaultError } from "./vault_error.ts";
import type { VaultPlace } from "./vault_error.ts";

export interface RebuildStep {
  readonly adoption: Adoption;
  /** Media files done, and all of them. */
  readonly done: number;
  readonly total: number;
}

/**
 * Rebuilds the catalog of a vault that nobody else uses meanwhile.
 * @throws AgentError `no_space` | `failed`; the old catalog is still there then
 */
export function* rebuildCatalog(place: VaultPlace): Generator<RebuildStep> {
  const { files, directory } = place;
  const path = `${directory}/catalog.sqlite`;
  const fresh = freshPath(place);
  try {
    removeFreshCatalog(place);
    const store = new MediaStore(place);
    const { complete } = store.list();
    {
      using catalog = Catalog.open(fresh);
      let done = 0;
      for (const adoption of adoptMedia(store, catalog, complete)) {
        done += 1;
        yield { adoption, done, total: complete.length };
      }
      applyMarks(store, catalog);
      catalog.settle(); // Closing would do so, too, but not say that there is no space for it.
    }
    removeDatabase(files, path, ["-wal", "-shm"]);
    files.rename(AT_CWD, fresh, AT_CWD, path);
    const vault = files.open(AT_CWD, directory, { access: "read", directory: true });
    try {
      files.sync(vault);
    } finally {
      files.close(vault);
    }
  } catch (error) {
    throw vaultError(error, `rebuild the catalog of vault "${directory}"`, place);
  } finally {
    giveUpFresh(place);
  }
}

function giveUpFresh(place: VaultPlace): void {
  try {
    removeFreshCatalog(place);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error; // The next start removes it.
  }
}

/** Removes what a rebuild left that did not come to its end. @throws SystemError */
export function removeFreshCatalog(place: VaultPlace): void {
  removeDatabase(place.files, freshPath(place));
}

function freshPath({ directory }: VaultPlace): string {
  return `${directory}/catalog.sqlite.new`;
}

function removeDatabase(files: Files, path: string, parts = ["", "-wal", "-shm"]): void {
  for (const part of parts) {
    try {
      files.unlink(AT_CWD, `${path}${part}`);
    } catch (error) {
      if (!(error instanceof SystemError && error.errno === "ENOENT")) throw error;
    }
  }
}
