// Who may use the control endpoint over TCP: the bearer token, and against foreign web pages the
// Host and Origin headers. On a Unix socket the file's mode decides instead.
//
// The token is compared through its SHA-256, so that neither its length nor its prefix shows in
// the time it takes.

import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { AgentError } from "../../transport/ground/error.ts";
import { isLoopback } from "../config/mod.ts";

/** What a TCP endpoint asks of every request. */
export interface TcpAccess {
  readonly token: string;
  /** Values of Host that are ours, for example `127.0.0.1:7440`. */
  readonly hosts: readonly string[];
}

/** Paths that answer without a token: probes know no secrets. */
const OPEN_PATHS: readonly string[] = ["/healthz", "/readyz"];

/** The Host values of an endpoint that listens at `host` and `port`. */
export function hostsOf(host: string, port: number): readonly string[] {
  const names = isLoopback(host) ? [host, "localhost", "127.0.0.1", "::1"] : [host];
  return names.map((name) => name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`);
}

/** Refuses requests from elsewhere and without the token. @throws AgentError `auth` */
export function guardAccess(access: TcpAccess): MiddlewareHandler {
  const wanted = digest(access.token);
  return async (context, next) => {
    const host = context.req.header("host") ?? new URL(context.req.url).host;
    if (!access.hosts.includes(host.toLowerCase())) throw refusal(`Host "${host}"`);
    const origin = context.req.header("origin");
    if (origin !== undefined && origin !== `http://${host}`) throw refusal(`Origin "${origin}"`);
    if (!OPEN_PATHS.includes(context.req.path)) {
      const given = /^Bearer ([^ ]+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
      if (!timingSafeEqual(digest(given), wanted)) throw refusal("no valid bearer token");
    }
    await next();
  };
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function refusal(found: string): AgentError {
  return new AgentError("auth", `Cannot use the control endpoint: found ${found}, need access`, {
    hint: "Pass --control-token FILE with the token of the daemon's control_token.",
  });
}
