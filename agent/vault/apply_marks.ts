// Brings into the catalog what the marks beside the media files say and it does not: its commit was
// cut off, or it was just made from the media. The marks are right, always.

import type { Catalog } from "../catalog/mod.ts";
import type { MediaStore } from "./media_store.ts";

/** @throws AgentError when the catalog cannot be written; SystemError */
export function applyMarks(store: MediaStore, catalog: Catalog): void {
  const listing = store.list();
  const complete = new Set(listing.complete);
  const expired = new Set(listing.expired);
  const pinned = new Set(listing.pinned);
  const drilled = new Set(listing.drilled);
  const known = catalog.withExpired();
  const marked = known.filter(({ backup }) => expired.has(backup));
  catalog.markExpired(marked.filter((one) => !one.expired).map(({ backup }) => backup));
  for (const one of known) {
    const pin = pinned.has(one.backup);
    if (pin !== one.pinned) catalog.setPinned(one.backup, pin);
    const drill = drilled.has(one.backup) ? store.marks.drill(one.backup) : null;
    if (drill?.time !== one.drilled?.time) catalog.setDrill(one.backup, drill);
  }
  for (const one of marked.filter(({ backup }) => !complete.has(backup))) {
    for (const _ of catalog.forget(one)); // The last step of an expiry that was cut off.
  }
}
