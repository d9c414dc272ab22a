// Door of the catalog room: what is in the vault, in SQLite.

export { sourceOf } from "./backup_row.ts";
export type { CatalogBackup, LastBackup, SourceName } from "./backup_row.ts";
export { Catalog } from "./catalog.ts";
export type { CatalogRow } from "./catalog.ts";
export type { EntryState } from "./entry_state.ts";
export { ancestorsOf, DraftTree } from "./draft_tree.ts";
export type { EarlyRows } from "./early_rows.ts";
export { sourceKey } from "./import_media.ts";
export type { Seen } from "./listing.ts";
export { toListed } from "./listing.ts";
export { splitPath } from "./entry_row.ts";
export { resolveReference } from "./reference.ts";
export { REBUILD_HINT } from "./sqlite_error.ts";
