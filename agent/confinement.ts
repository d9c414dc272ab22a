// What a client may be asked for: which paths are backed up, where restores go, and whether they
// may replace what is there. Both ends have one: the server refuses its operators what its entry of
// the client does not allow, the client refuses its server what its own file does not. Pure.

import { AgentError } from "../transport/ground/error.ts";

/** Directories, each with what is below it; null is everywhere. */
export type AllowedPaths = readonly string[] | null;

export interface Confinement {
  readonly backup: AllowedPaths;
  readonly restore: AllowedPaths;
  /** False: a restore leaves whatever is there. */
  readonly overwrite: boolean;
}

/** Whose configuration says so. */
export type Confiner = "this client's" | "the server's";

/** @param paths absolute, without "..", links resolved where that is possible */
export function requireBackupAllowed(
  { backup }: Confinement,
  paths: readonly string[],
  confiner: Confiner,
): void {
  const outside = paths.find((path) => !isBelow(path, backup));
  if (outside === undefined) return;
  throw refusal(`back up "${outside}"`, "allow_backup", { allowed: backup, confiner });
}

/** @param target as the paths of a backup */
export function requireRestoreAllowed(
  { restore, overwrite }: Confinement,
  asked: { readonly target: string; readonly overwrite: string },
  confiner: Confiner,
): void {
  if (!isBelow(asked.target, restore)) {
    const action = `restore to "${asked.target}"`;
    throw refusal(action, "allow_restore", { allowed: restore, confiner });
  }
  if (overwrite || asked.overwrite === "refuse" || asked.overwrite === "never") return;
  throw new AgentError(
    "auth",
    `Cannot replace what is in "${asked.target}": found "allow_overwrite: false" in ` +
      `${confiner} configuration, need true`,
    { hint: "Restore with `--overwrite never`, or into an empty directory." },
  );
}

function isBelow(path: string, allowed: AllowedPaths): boolean {
  if (allowed === null) return true;
  if (!path.startsWith("/") || path.split("/").includes("..")) return false;
  const whole = `${path.replace(/\/+/g, "/").replace(/\/$/, "")}/`;
  return allowed.some((one) => whole.startsWith(one === "/" ? "/" : `${one.replace(/\/$/, "")}/`));
}

function refusal(
  action: string,
  key: string,
  { allowed, confiner }: { readonly allowed: AllowedPaths; readonly confiner: Confiner },
): AgentError {
  const found = allowed === null || allowed.length === 0 ? "false" : allowed.join(", ");
  return new AgentError(
    "auth",
    `Cannot ${action}: found "${key}: ${found}" in ${confiner} configuration, need a path of it`,
    { hint: `Name a directory under \`${key}\` in ${confiner} configuration.` },
  );
}

/** What nobody restricted. */
export const UNCONFINED: Confinement = { backup: null, restore: null, overwrite: true };
