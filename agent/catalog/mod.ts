// Door of the catalog room: what is in the vault, in SQLite.

export { Catalog } from "./catalog.ts";
export type { CatalogBackup, CatalogRow } from "./catalog.ts";
export { resolveReference } from "./reference.ts";
export { REBUILD_HINT } from "./sqlite_error.ts";
