// What happens around every request: headers that protect a browser, and a line of the audit log.

import type { Context, MiddlewareHandler } from "hono";
import { askedDetails } from "../asked_details.ts";
import type { Audit } from "../audit_log.ts";
import type { AccessGuard } from "./access.ts";

const BROWSER_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** Headers for browsers: nothing of other hosts, no frames, no guessing of types. */
export async function harden(context: Context, next: () => Promise<void>): Promise<void> {
  await next();
  for (const [name, value] of Object.entries(BROWSER_HEADERS)) context.header(name, value);
}

/** Notes requests that are more than a look, whatever comes of them. */
export function audited(access: AccessGuard, audit: Audit): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const { method, path } = context.req;
    if (method === "GET" || method === "HEAD") return;
    const who = access.callerOf(context);
    audit({
      who,
      action: `${method} ${path}`,
      result: String(context.res.status),
      details: who.by === "nobody" ? {} : await detailsOf(context),
    });
  };
}

/** Notes logs that were refused; of those that were taken the archive itself tells. */
export function auditedRefusals(audit: Audit): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const { method, path } = context.req;
    const { status } = context.res;
    if (method === "GET" || status < 400) return;
    audit({ who: { by: "wal_socket" }, action: `${method} ${path}`, result: String(status) });
  };
}

/** What a job was asked for, started or refused; of other requests the path says it. */
async function detailsOf({ req, res }: Context): Promise<Readonly<Record<string, string>>> {
  if (req.method !== "POST" || req.path !== "/v1/jobs") return {};
  const job = res.headers.get("location");
  const asked = askedDetails(await req.json().catch(() => null) ?? {});
  return job === null ? asked : { job, ...asked };
}
