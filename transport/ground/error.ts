// Operating errors: what can go wrong with the world, as opposed to our own bugs (assert.ts).
//
// Message: "Cannot <do> <thing> \"<name>\": <found>, need <wanted>". The hint is one imperative
// sentence that names the command or key that helps. Callers switch on `code`, never on text.

/** Closed list; agent/exit_code.ts maps each to the exit code of the command-line contract. */
export const ERROR_CODES = [
  "usage", // wrong arguments or configuration
  "failed", // the operation failed; nothing was published
  "not_found", // no such backup, client, job, path, volume
  "absent", // looked for in the archive of a write-ahead log, and not there: nothing else says so
  "busy", // a live holder has the thing: host id, vault, board, port
  "auth", // peer or token refused
  "damaged", // a checksum, magic or length on disk or wire is wrong
  "no_space",
  "unreachable", // daemon or peer does not answer
  "refused", // nobody listens at that address
  "port_in_use",
  "reset", // the peer aborted, died, or sent what the protocol forbids
  "closed", // used after close
  "timeout",
  "cancelled",
  "mismatch", // both ends are alive but configured differently
  "volume", // a shared volume cannot be read or written
  "unsupported", // by this version, kernel or runtime
] as const;

export type ErrorCode = typeof ERROR_CODES[number];

export interface AgentErrorOptions {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** An operating error with a code for programs and a message and hint for people. */
export class AgentError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AgentError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** The plain shape of an error, as it crosses threads, wires and the control endpoint. */
export interface ErrorRecord {
  readonly code: ErrorCode | "internal";
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Flattens anything thrown; what is no AgentError is "internal". */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof AgentError) {
    return thrown.hint === undefined
      ? { code: thrown.code, message: thrown.message }
      : { code: thrown.code, message: thrown.message, hint: thrown.hint };
  }
  return { code: "internal", message: thrown instanceof Error ? thrown.message : String(thrown) };
}

/** Makes the record an error again, on the other side of a thread or wire. */
export function fromErrorRecord(record: ErrorRecord): AgentError {
  const code = record.code === "internal" ? "failed" : record.code;
  return new AgentError(code, record.message, { hint: record.hint });
}
