// The door of the application room: what can be backed up, as producers and consumers of tar.

export { makesIncomplete } from "./application.ts";
export type { ApplicationWarning, Consumer, Producer, Totals, WarningCode } from "./application.ts";
export { MAX_FRAME_BYTES, MAX_PARENT_CHUNK_BYTES } from "./limits.ts";
export { compileRules } from "./filesystem/directory_scope.ts";
export { ruleLines } from "./filesystem/exclude_rules.ts";
export { encodeParentRows } from "./filesystem/parent_rows.ts";
export type { PlacedRow } from "./filesystem/parent_rows.ts";
export type { ParentFeed } from "./filesystem/parent_tree.ts";
export { produceFilesystem } from "./filesystem/produce.ts";
export type { ProduceFilesystemOptions } from "./filesystem/produce.ts";
export { FilesystemRestorer } from "./filesystem/restorer.ts";
export type { FilesystemRestorerOptions } from "./filesystem/restorer.ts";
export { TargetComparer } from "./filesystem/target_comparer.ts";
export type { Difference } from "./filesystem/target_comparer.ts";
export { TargetSurvey } from "./filesystem/target_survey.ts";
export type { Overwrite } from "./placement.ts";
export { scanFilesystem } from "./filesystem/scan.ts";
export type { ScanOptions, ScanTotals } from "./filesystem/scan.ts";
export { normalizeSourcePaths } from "./filesystem/source_paths.ts";
export { produceBaseBackup } from "./postgresql/base_backup.ts";
export type { ProduceBaseBackupOptions } from "./postgresql/base_backup.ts";
export { BaseBackupRestorer } from "./postgresql/restorer.ts";
export type { BaseBackupRestorerOptions } from "./postgresql/restorer.ts";
export { produceSqlite, snapshotSqlite } from "./sqlite/snapshot.ts";
export type { ProduceSqliteOptions, SnapshotSqliteOptions } from "./sqlite/snapshot.ts";
export { SqliteRestorer } from "./sqlite/restorer.ts";
export type { SqliteRestorerOptions } from "./sqlite/restorer.ts";
