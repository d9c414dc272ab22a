// Door of the catalog room: what is in the vault, in SQLite.

export { Catalog, sourceOf } from "./catalog.ts";
export type { CatalogBackup, CatalogRow, SourceName } from "./catalog.ts";
export { ancestorsOf, DraftTree } from "./draft_tree.ts";
export type { Seen } from "./listing.ts";
export { sourceKey } from "./import_media.ts";
export { toListed } from "./listing.ts";
export { splitPath } from "./entry_row.ts";
export { resolveReference } from "./reference.ts";
export { REBUILD_HINT } from "./sqlite_error.ts";
