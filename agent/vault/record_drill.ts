// Keeps the result of a drill with its backup: the mark beside the media first, which is the truth,
// then the catalog, which shows it.

import { Catalog } from "../catalog/mod.ts";
import type { Drill } from "../control/drill_view.ts";
import { MediaStore } from "./media_store.ts";
import { type VaultPlace, withVaultErrors } from "./vault_error.ts";

/** @throws AgentError `no_space` | `busy` | `failed` */
export function recordDrill(place: VaultPlace, backup: string, drill: Drill): void {
  withVaultErrors(`record the drill of backup "${backup}"`, place, () => {
    const store = new MediaStore(place);
    using catalog = Catalog.open(`${place.directory}/catalog.sqlite`);
    store.marks.setDrill(backup, drill);
    store.sync();
    catalog.setDrill(backup, drill);
  });
}
