// What SQLite throws, as operating errors. Bun gives SQLite's result code in `errcode`, Deno does
// not for errors of opening (measured), so that the message decides there.

import { AgentError } from "../../transport/ground/error.ts";
import type { ErrorCode } from "../../transport/ground/error.ts";

interface Kind {
  /** Primary result code of SQLite. */
  readonly result: number;
  readonly message: RegExp;
  readonly code: ErrorCode;
  readonly hint: string;
}

export const REBUILD_HINT =
  "Run `agent catalog rebuild`: it makes the catalog again from the media.";
const SPACE = "Free space on the file system of the vault.";
const RIGHTS = "Make the vault directory writable for the user that runs the server.";

const KINDS: readonly Kind[] = [
  { result: 5, message: /database is locked/, code: "busy", hint: "Try again." },
  { result: 8, message: /readonly/, code: "failed", hint: RIGHTS },
  { result: 11, message: /malformed/, code: "damaged", hint: REBUILD_HINT },
  { result: 13, message: /is full/, code: "no_space", hint: SPACE },
  { result: 14, message: /unable to open/, code: "failed", hint: RIGHTS },
  { result: 26, message: /not a database/, code: "damaged", hint: REBUILD_HINT },
];

/** Makes an AgentError of anything that a catalog call threw; AgentErrors pass. */
export function catalogError(thrown: unknown, doing: string): Error {
  if (!isSqliteError(thrown)) return thrown instanceof Error ? thrown : new Error(String(thrown));
  const result = "errcode" in thrown && typeof thrown.errcode === "number" ? thrown.errcode : 0;
  const kind = KINDS.find((one) =>
    result === 0 ? one.message.test(thrown.message) : one.result === (result & 0xff)
  );
  const message = `Cannot ${doing}: ${thrown.message}, need a sound and writable database`;
  return new AgentError(kind?.code ?? "failed", message, {
    hint: kind?.hint ?? "Look at the disk of the vault.",
    cause: thrown,
  });
}

function isSqliteError(thrown: unknown): thrown is Error {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ERR_SQLITE_ERROR";
}
