// The tasks of jobs that need the vault alone: no client takes part. Pure.

import type { ServerConfig } from "../config/mod.ts";
import type { JobRequest } from "../control/daemon.ts";
import type {
  ServerDrillTask,
  ServerExpireTask,
  ServerVerifyTask,
  ServerVerifyWalTask,
} from "../job/mod.ts";

const VAULT_KINDS = ["verify", "verify-wal", "expire", "drill"] as const;

export type VaultRequest = Extract<JobRequest, { kind: typeof VAULT_KINDS[number] }>;

type VaultTask = ServerVerifyTask | ServerVerifyWalTask | ServerExpireTask | ServerDrillTask;

/** @param backups ids of the backups that the request names, in its order */
export function vaultTask(
  request: VaultRequest,
  backups: readonly string[],
  { config, identity }: {
    readonly config: Pick<ServerConfig, "vault" | "retention">;
    readonly identity: VaultTask["identity"];
  },
): VaultTask {
  const common = { identity, steps: [], vault: config.vault };
  switch (request.kind) {
    case "verify": {
      const { data, subset } = request;
      return { kind: "server-verify", ...common, backups, data, subset };
    }
    case "verify-wal": {
      const { client, database, data } = request;
      return { kind: "server-verify-wal", ...common, owner: { client, database }, data };
    }
    case "expire":
      return {
        kind: "server-expire",
        ...common,
        retention: config.retention,
        dryRun: request.dryRun,
      };
    case "drill": {
      const { sample, seed, scratch, identityFile } = request;
      const [backup = request.backup] = backups;
      return { kind: "server-drill", ...common, backup, sample, seed, scratch, identityFile };
    }
  }
}

/** Does the request concern the vault alone? */
export function isVaultRequest(request: JobRequest): request is VaultRequest {
  return VAULT_KINDS.some((kind) => kind === request.kind);
}

/** What the request names. */
export function namedBackups(request: VaultRequest): readonly string[] {
  if (request.kind === "verify") return request.backups;
  return request.kind === "drill" ? [request.backup] : [];
}
