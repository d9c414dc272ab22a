// What a request asks for, and how its failure is said: path, operation, offset and reason.

import { AgentError, type ErrorCode } from "../ground/error.ts";
import { SystemError } from "../runtime/files.ts";

export interface RawRequest {
  readonly operation: "read" | "write";
  readonly descriptor: number;
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
  /** The bytes are aligned memory of ours: the kernel gets them as they are. */
  readonly direct: boolean;
  /** The volume's, for messages: its path in the configuration. */
  readonly name: string;
}

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** `cause` is the name of an errno, or what was thrown. */
export function requestError(request: RawRequest, cause: unknown): AgentError {
  const found = cause instanceof SystemError
    ? cause.errno
    : cause instanceof Error
    ? cause.message
    : String(cause);
  const code = FULL.has(found) ? "no_space" : "volume";
  return failure(request, { code, found, cause });
}

/** Less than all was moved: nobody knows what of it is on the medium. */
export function shortError(request: RawRequest, count: number): AgentError {
  return failure(request, { code: "volume", found: `only ${count} bytes were moved` });
}

export function timeoutError(request: RawRequest, timeoutMs: number): AgentError {
  const found = `no answer within ${timeoutMs} ms; it may still land`;
  return failure(request, { code: "timeout", found });
}

function failure(
  { operation, name, offsetBytes, bytes }: RawRequest,
  { code, found, cause }: {
    readonly code: ErrorCode;
    readonly found: string;
    readonly cause?: unknown;
  },
): AgentError {
  return new AgentError(
    code,
    `Cannot ${operation} volume "${name}" at byte ${offsetBytes}: ${found}, ` +
      `need all ${bytes.length} bytes`,
    { cause, hint: "Check the path to the storage with `agent stg status`." },
  );
}
