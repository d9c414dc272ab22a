// Rows of a media file that the same file takes back later: the file of a member could not be read
// to its end, or the backup went on from one that was cut, and what that had was gone by then.
//
// The notes are read when the first such row is met: most media have none.

import { ancestorsOf } from "../catalog/mod.ts";
import type { Catalog, CatalogBackup } from "../catalog/mod.ts";
import type { IndexRow } from "../entry.ts";
import { isUnreadable, type MediaReader } from "../media/mod.ts";

export class TakenBack {
  readonly #media: MediaReader;
  readonly #catalog: Catalog;
  readonly #backup: CatalogBackup;
  /** Deleted paths, each with the end of the last frame that notes it. */
  #deleted: Map<string, number> | null = null;

  constructor(media: MediaReader, catalog: Catalog, backup: CatalogBackup) {
    this.#media = media;
    this.#catalog = catalog;
    this.#backup = backup;
  }

  /** Is it right that the catalog has not this row of the media file? */
  has({ entry: { path }, tarOffset }: IndexRow): boolean {
    const last = this.#catalog.row(this.#backup, path);
    if (this.#isLater(last, tarOffset) || this.#isDeleted(path, tarOffset)) return true;
    for (const above of ancestorsOf(path)) {
      const row = this.#catalog.row(this.#backup, above);
      const isReplaced = this.#isLater(row, tarOffset) && row?.entry.type !== "directory";
      if (isReplaced || this.#isDeleted(above, tarOffset)) return true;
    }
    return false;
  }

  #isLater(row: (IndexRow & { readonly media: number }) | null, tarOffset: number): boolean {
    return row !== null && row.media === this.#backup.number && row.tarOffset > tarOffset;
  }

  #isDeleted(path: Uint8Array, tarOffset: number): boolean {
    this.#deleted ??= this.#readNotes();
    return (this.#deleted.get(path.toBase64()) ?? 0) > tarOffset;
  }

  #readNotes(): Map<string, number> {
    const deleted = new Map<string, number>();
    let sequence = 0;
    for (let group = 0; group < this.#media.groupCount; group++) {
      try {
        for (const { notes } of this.#media.groupPages(group)) {
          const frame = this.#media.frames[sequence++];
          const end = frame === undefined ? 0 : frame.tarOffset + frame.tarBytes;
          for (const { kind, path } of notes) {
            if (kind === "deleted") deleted.set(path.toBase64(), end);
          }
        }
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        sequence = this.#media.framesBefore(group + 1);
      }
    }
    return deleted;
  }
}
