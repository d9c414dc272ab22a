// What a client's daemon makes sure of before a file of a write-ahead log goes to the server, and
// the command that a restored cluster fetches its log with. Pure.

import { AgentError } from "../../transport/mod.ts";
import type { ControlAddress, DatabaseEntry, WalSocketConfig } from "../config/mod.ts";
import { shellWord } from "../postgresql/mod.ts";
import { decodeWalHeader, parseWalFileName, type WalFileName } from "../wal/mod.ts";

type Cluster = Extract<DatabaseEntry, { kind: "postgresql" }>;

/** @throws AgentError `usage` for a database of another kind */
export function requireCluster(database: DatabaseEntry): Cluster {
  if (database.kind === "postgresql") return database;
  const message = `Cannot use the log of "${database.name}": found kind ${database.kind}, need ` +
    "postgresql";
  throw new AgentError("usage", message);
}

export interface PushedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The cluster that the command says it runs for, null when it could not tell. */
  readonly system: string | null;
  /** The cluster of the configured data directory, null when there is none. */
  readonly known: string | null;
}

/** @throws AgentError `usage` for what is no name of a file of a log */
export function requireFile(name: string): WalFileName {
  const file = parseWalFileName(name);
  if (file !== null) return file;
  throw new AgentError("usage", `Cannot archive "${name}": need a file of the log`, {
    hint: "Write `%p` in archive_command, as PostgreSQL gives it.",
  });
}

/**
 * The cluster that a file is of: all that know it must agree.
 * @throws AgentError `usage` for no file of a log, `mismatch` for one of another cluster
 */
export function systemOfFile({ name, bytes, system, known }: PushedFile): string {
  const file = requireFile(name);
  const isSegment = file.type === "segment" || file.type === "partial";
  const own = isSegment ? decodeWalHeader(bytes).system.toString() : null;
  const of = own ?? system ?? known;
  if (of === null) {
    throw new AgentError("mismatch", `Cannot archive "${name}": found no cluster that it is of`, {
      hint: "Let PostgreSQL run the command, in its data directory.",
    });
  }
  const other = [system, known].find((one) => one !== null && one !== of);
  if (other === undefined) return of;
  const message = `Cannot archive "${name}": found cluster ${of}, need ${other}`;
  throw new AgentError("mismatch", message, {
    hint: "Give each cluster an entry of its own under `databases:`, and name it in its " +
      "archive_command.",
  });
}

/**
 * The beginning of a restore_command, for PostgreSQL's shell; the names of a file follow.
 * @param program what starts this program: the binary, or a runtime with the sources. A runtime
 *   ends with 1 when it does not even find them, which would say "not there" to PostgreSQL
 */
export function walCommandOf(
  program: readonly string[],
  database: string,
  { walSocket, control }: {
    readonly walSocket: WalSocketConfig | null;
    readonly control: ControlAddress;
  },
): string {
  const path = walSocket?.path ?? (control.kind === "unix" ? control.path : null);
  const address = path === null && control.kind === "http"
    ? `http://${control.host}:${control.port}`
    : `unix:${path}`;
  const words = [...program, "wal", "get", "--database", database, "--control", address];
  const command = words.map(shellWord).join(" ");
  return program.length === 1 ? command : `sh -c ${shellWord(believing(program))} sh ${command}`;
}

/** A script that runs its arguments and believes their 1 if the program starts just after it. */
function believing(program: readonly string[]): string {
  const probe = [...program, "--version"].map(shellWord).join(" ");
  return `"$@"; code=$?; [ $code != 1 ] || ${probe} >/dev/null || code=126; exit $code`;
}
