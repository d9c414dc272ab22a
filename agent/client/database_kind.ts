// What the kinds of databases have in common for a job: something to back up, made ready once the
// job may begin, and something that takes a restore.

import type { ApplicationWarning, Consumer } from "../application/mod.ts";
import type { AllowedPlaces } from "./allowed_places.ts";
import type { PreparedBackup } from "./send_backup.ts";

export interface DatabaseKind extends AsyncDisposable {
  readonly kind: "sqlite" | "postgresql" | "command";
  /** Full path of what is backed up. */
  readonly path: string;
  /** Makes a backup ready; the producer frees what it needs, disposing of this the rest. */
  prepare(options: PrepareDatabase): PreparedDatabase | Promise<PreparedDatabase>;
  /** @throws AgentError `busy` | `failed` when the destination cannot be written */
  restorer(options: RestoreDatabase): Consumer | Promise<Consumer>;
}

export type PreparedDatabase = Pick<PreparedBackup, "producer" | "totals" | "ready" | "range">;

export interface PrepareDatabase {
  /** Id of the backup. */
  readonly backup: string;
  readonly frameBytes: number | undefined;
  readonly signal: AbortSignal;
  /** Of what leaves nothing out: a code, and words. */
  readonly onNotice: (code: string, message: string) => void;
}

export interface RestoreDatabase {
  /** Directory to restore to; null: where the database was. */
  readonly target: string | null;
  readonly tablespaces: readonly TablespacePlace[];
  /** Where the client takes restores; `target` and `tablespaces` have passed. */
  readonly places: AllowedPlaces;
  /** Settings with which a cluster goes on by its log; null: it does not. */
  readonly recovery: string | null;
  readonly signal: AbortSignal;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

/** Where a tablespace was, and where it goes: full paths. */
export interface TablespacePlace {
  readonly from: string;
  readonly to: string;
}
