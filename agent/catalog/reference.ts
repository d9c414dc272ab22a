// What names a backup on the command line: its id, a unique prefix of it, `latest`, or
// `latest:NAME` with the name of a client or a database. Pure.

import { AgentError } from "../../transport/ground/error.ts";
import { MAX_NAMED } from "./limits.ts";

export interface Named {
  readonly backup: string;
  readonly client: string;
  readonly database: string | null;
}

const LATEST = "latest";

/**
 * Finds the backup that `reference` names.
 * @param backups published ones, newest last
 * @throws AgentError `not_found`, also when a prefix fits several
 */
export function resolveReference<T extends Named>(backups: readonly T[], reference: string): T {
  if (reference === LATEST) {
    return backups.at(-1) ?? fail(reference, "no backup", "a published one");
  }
  if (reference.startsWith(`${LATEST}:`)) {
    const name = reference.slice(LATEST.length + 1);
    return backups.findLast((one) => one.client === name || one.database === name) ??
      fail(reference, `no backup of "${name}"`, "the name of a client or database");
  }
  const exact = backups.find((one) => one.backup === reference);
  if (exact !== undefined) return exact;
  const fitting = reference === "" ? [] : backups.filter((one) => one.backup.startsWith(reference));
  const [only] = fitting;
  if (only === undefined) return fail(reference, "no such backup", "an id or a unique prefix");
  if (fitting.length === 1) return only;
  const names = fitting.slice(0, MAX_NAMED).map((one) => one.backup).join(", ");
  const more = fitting.length > MAX_NAMED ? ", …" : "";
  return fail(reference, `${fitting.length} backups (${names}${more})`, "a longer prefix");
}

function fail(reference: string, found: string, wanted: string): never {
  throw new AgentError(
    "not_found",
    `Cannot find backup "${reference}": ${found}, need ${wanted}`,
    { hint: "Run `agent backups` to see what there is." },
  );
}
