// Door of the vault room: publishing, restoring and proving backups.

export { Vault } from "./vault.ts";
export type { VaultOptions, VaultRecovery } from "./vault.ts";
export { BackupWriter, VaultWriter } from "./vault_writer.ts";
export type { BackupMeta } from "./vault_writer.ts";
export type { VaultPlace } from "./vault_error.ts";
export { recordDrill } from "./record_drill.ts";
export { sampleMembers, SEED_LIMIT } from "./sample_plan.ts";
export type { SampleSize } from "./sample_plan.ts";
export { Scratch, scratchOf } from "./scratch.ts";
export { chooseParent } from "./level_policy.ts";
export { CutBackups } from "./cut_backups.ts";
export { chooseCut } from "./cut_policy.ts";
export type { CutBackup } from "./cut_policy.ts";
export { rebuildCatalog } from "./rebuild_catalog.ts";
export type { RebuildStep } from "./rebuild_catalog.ts";
export { VaultReader } from "./vault_reader.ts";
export { MemberChoice } from "./member_choice.ts";
export type { PlannedMember, RestorePlan } from "./restore_plan.ts";
export { VaultExpirer } from "./vault_expirer.ts";
export type { ExpiryItem } from "./expiry_plan.ts";
export type { WalExpiry } from "./expire_wal.ts";
export { verifyError } from "./verify.ts";
export type { Finding, VerifyEvent, VerifyReport } from "./verify.ts";
export type { BackupResult } from "../media/mod.ts";
