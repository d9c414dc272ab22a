// The door of the PostgreSQL room: what is asked of a running server.

export { PostgresConnection } from "./connection.ts";
export {
  clusterSecretOf,
  readControlFile,
  readSystemIdentifier,
  systemIdentifierOf,
} from "./control_file.ts";
export { findUser } from "./find_user.ts";
export { decodeRow, decodeTexts } from "./message.ts";
export type { Message, Row, ServerReport } from "./message.ts";
export {
  type BackupEnd,
  type RecoveryPlan,
  recoverySettings,
  type RecoveryTarget,
  requireReachable,
  shellWord,
  withRecovery,
} from "./recovery_plan.ts";
export { decodeLogPlace, ReplicationSession } from "./replication.ts";
export type {
  BaseBackupStart,
  LogInOptions,
  LogPlace,
  ServerAddress,
  SystemIdentity,
  Tablespace,
} from "./replication.ts";
