// Door of the catalog room: what is in the vault, in SQLite.

export { Catalog } from "./catalog.ts";
export type { CatalogBackup, CatalogRow } from "./catalog.ts";
export { rebuildCatalog } from "./rebuild.ts";
export type { RebuildReport, RebuildSource } from "./rebuild.ts";
export { resolveReference } from "./reference.ts";
