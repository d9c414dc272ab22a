// Operating errors as HTTP answers and back: problem details (RFC 9457) with our code and hint.
//
// Pure. The code is what callers switch on; the HTTP status is for proxies and browsers.

import { AgentError, type ErrorRecord, fromErrorRecord } from "../../transport/ground/error.ts";
import { problemSchema } from "./view_schema.ts";

export type ProblemStatus = 400 | 401 | 404 | 409 | 500 | 501 | 503 | 507;

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
  const parsed = problemSchema.safeParse(body);
  if (!parsed.success) {
    return new AgentError("failed", `Cannot use the daemon's answer: found HTTP status ${status}`, {
      hint: "Check that --control names the control endpoint of an agent.",
    });
  }
  const { code, detail, hint } = parsed.data;
  return fromErrorRecord({ code, message: detail, hint: hint ?? undefined });
}
