// The door of the PostgreSQL room: what is asked of a running server.

export { PostgresConnection } from "./connection.ts";
export { findUser } from "./find_user.ts";
export { decodeTexts } from "./message.ts";
export type { Message, ServerReport } from "./message.ts";
export { ReplicationSession } from "./replication.ts";
export type {
  BaseBackupStart,
  LogInOptions,
  ServerAddress,
  SystemIdentity,
  Tablespace,
} from "./replication.ts";
