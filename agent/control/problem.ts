// Operating errors as HTTP answers and back: problem details (RFC 9457) with our code and hint.
//
// Pure. The code is what callers switch on; the HTTP status is for proxies and browsers.

import {
  AgentError,
  ERROR_CODES,
  type ErrorRecord,
  fromErrorRecord,
} from "../../transport/ground/error.ts";

export type ProblemStatus = 400 | 401 | 404 | 409 | 429 | 500 | 501 | 503 | 507;

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: ProblemStatus;
  readonly detail: string;
  readonly code: ErrorRecord["code"];
  readonly hint: string | null;
}

const STATUS: { readonly [Code in ErrorRecord["code"]]: ProblemStatus } = {
  usage: 400,
  auth: 401,
  not_found: 404,
  absent: 404,
  busy: 409,
  port_in_use: 409,
  mismatch: 409,
  cancelled: 409,
  unsupported: 501,
  unreachable: 503,
  refused: 503,
  timeout: 503,
  no_space: 507,
  failed: 500,
  damaged: 500,
  reset: 500,
  closed: 500,
  volume: 500,
  internal: 500,
};

/** The answer for an error. */
export function problemOf(record: ErrorRecord): Problem {
  const status = STATUS[record.code];
  return {
    type: `urn:agent:error:${record.code}`,
    title: record.code.replaceAll("_", " "),
    status,
    detail: record.message,
    code: record.code,
    hint: record.hint ?? null,
  };
}

/** The error that an answer tells; one that is no problem document is `failed`. */
export function errorOfProblem(status: number, body: unknown): AgentError {
  const problem = readProblem(body);
  if (problem === null) {
    return new AgentError("failed", `Cannot use the daemon's answer: found HTTP status ${status}`, {
      hint: "Check that --control names the control endpoint of an agent.",
    });
  }
  return fromErrorRecord(problem);
}

/** By hand: the schema of what we answer (view_schema.ts) takes long to load. */
function readProblem(body: unknown): ErrorRecord | null {
  if (typeof body !== "object" || body === null) return null;
  if (!("code" in body) || !("detail" in body) || typeof body.detail !== "string") return null;
  const code = [...ERROR_CODES, "internal" as const].find((one) => one === body.code);
  if (code === undefined) return null;
  const hint = "hint" in body && typeof body.hint === "string" ? body.hint : undefined;
  return { code, message: body.detail, hint };
}
