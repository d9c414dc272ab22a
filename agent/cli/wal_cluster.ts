// What both commands of a write-ahead log say: the database, and which cluster runs them.

import { AgentError } from "../../transport/ground/error.ts";
import type { Files } from "../../transport/runtime/mod.ts";
import { readSystemIdentifier } from "../postgresql/control_file.ts";
import type { OptionSpec } from "./command.ts";

export const DATABASE_OPTION: OptionSpec = {
  name: "database",
  value: "NAME",
  help: "Name of the database in the client's configuration",
  required: true,
};

/**
 * Identifier of the cluster in whose log's directory `file` lies; null when none is seen there.
 * PostgreSQL runs the commands in its data directory, and names files below it.
 */
export function clusterOf(files: Files, file: string): string | null {
  const data = file.split("/").slice(0, -2).join("/");
  return readSystemIdentifier(files, data === "" ? "/" : data);
}

/** The route of a file. @throws AgentError `usage` for a name with a "/" */
export function walPath(database: string, name: string, system: string | null): string {
  if (name.includes("/")) {
    throw new AgentError("usage", `Cannot use "${name}": found a "/", need the name of a file`, {
      hint: "Write `%f %p`, as PostgreSQL gives them.",
    });
  }
  const query = system === null ? "" : `?system=${encodeURIComponent(system)}`;
  return `/v1/wal/${encodeURIComponent(database)}/${encodeURIComponent(name)}${query}`;
}
