// Who may use the control endpoint over TCP: programs by the bearer token, browsers by the session
// that a login with the token began; and against foreign web pages the Host and Origin headers. On
// a Unix socket the file's mode decides instead.
//
// Invariants:
//  1. The token is compared through its SHA-256, so that neither its length nor its prefix shows in
//     the time it takes.
//  2. A request that changes something by a session must name our own origin.
//  3. What is open holds no data: probes, and the page before anybody has logged in.

import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { AgentError } from "../../transport/ground/error.ts";
import type { Clock, Random } from "../../transport/runtime/runtime.ts";
import { isLoopback } from "../../transport/ground/loopback.ts";
import { Attempts } from "./attempts.ts";
import { Sessions } from "./sessions.ts";

/** What a TCP endpoint asks of every request. */
export interface TcpAccess {
  readonly token: string;
  /** Values of Host that are ours, for example `127.0.0.1:7440`. */
  readonly hosts: readonly string[];
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Random;
}

/** Who asks, for the audit log. */
export type Caller =
  | { readonly by: "socket" }
  | { readonly by: "token"; readonly address: string }
  | { readonly by: "session"; readonly session: string; readonly address: string }
  | { readonly by: "nobody"; readonly address: string };

/** Too many requests without the right token came from there. */
export class TooManyAttempts extends AgentError {
  readonly retryAfterSeconds: number;

  constructor(waitMs: number) {
    const seconds = Math.ceil(waitMs / 1000);
    super(
      "auth",
      `Cannot log in: found too many requests without its token, need a pause of ${seconds} s`,
      {
        hint: "Wait, then send the token of the daemon's control_token.",
      },
    );
    this.retryAfterSeconds = seconds;
  }
}

/** Paths that answer to everybody: probes know no secrets, the page asks for the token. */
const OPEN_PATHS: readonly string[] = ["/healthz", "/readyz", "/"];
const PAGE_FILES = "/page/";
export const LOGIN_PATH = "/v1/session";

/** The Host values of an endpoint that listens at `host` and `port`. */
export function hostsOf(host: string, port: number): readonly string[] {
  const names = isLoopback(host) ? [host, "localhost", "127.0.0.1", "::1"] : [host];
  return names.map((name) => name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`);
}

/** Knows who asks. On a Unix socket (`access` null) everybody who can open it may. */
export class AccessGuard {
  readonly #access: TcpAccess | null;
  readonly #wanted: Uint8Array;
  readonly #attempts: Attempts | null;
  readonly #sessions: Sessions | null;
  readonly #callers = new WeakMap<Context, Caller>();

  constructor(access: TcpAccess | null) {
    this.#access = access;
    this.#wanted = digest(access?.token ?? "");
    this.#attempts = access === null ? null : new Attempts(access.clock);
    this.#sessions = access === null ? null : new Sessions(access.clock, access.random);
  }

  /** Refuses requests from elsewhere and of strangers. @throws AgentError `auth` */
  readonly guard: MiddlewareHandler = async (context, next) => {
    if (this.#access !== null) this.#admit(context, this.#access);
    await next();
  };

  callerOf(context: Context): Caller {
    if (this.#access === null) return { by: "socket" };
    return this.#callers.get(context) ?? { by: "nobody", address: addressOf(context) };
  }

  /** Begins a session. @returns the Set-Cookie header @throws AgentError `auth` */
  logIn(context: Context, token: string): string {
    if (this.#sessions === null) return "";
    if (!this.#isToken(context, token)) throw refusal("a wrong token");
    this.#callers.set(context, { by: "token", address: addressOf(context) });
    return this.#sessions.begin();
  }

  /** @returns the Set-Cookie header */
  logOut(context: Context): string {
    const header = context.req.header("cookie");
    return this.#sessions?.end(this.#sessions.find(header)) ?? "";
  }

  #admit(context: Context, access: TcpAccess): void {
    const { method, path } = context.req;
    const host = context.req.header("host") ?? new URL(context.req.url).host;
    if (!access.hosts.includes(host.toLowerCase())) throw refusal(`Host "${host}"`);
    const origin = context.req.header("origin");
    if (origin !== undefined && origin !== `http://${host}`) throw refusal(`Origin "${origin}"`);
    if (OPEN_PATHS.includes(path) || path.startsWith(PAGE_FILES)) return;
    if (path === LOGIN_PATH && method === "POST") return;
    const address = addressOf(context);
    const given = /^Bearer ([^ ]+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
    if (given !== undefined) {
      if (!this.#isToken(context, given)) throw refusal("no valid bearer token");
      this.#callers.set(context, { by: "token", address });
      return;
    }
    const session = this.#sessions?.find(context.req.header("cookie")) ?? null;
    if (session === null) {
      if (method !== "GET" && method !== "HEAD") this.#countFailure(address);
      throw refusal("neither a token nor a session");
    }
    if (method !== "GET" && origin === undefined) throw refusal("no Origin");
    this.#callers.set(context, { by: "session", session, address });
  }

  #isToken(context: Context, given: string): boolean {
    const address = addressOf(context);
    this.#requirePatience(address);
    if (timingSafeEqual(digest(given), this.#wanted)) return true;
    this.#countFailure(address);
    return false;
  }

  #countFailure(address: string): void {
    this.#requirePatience(address);
    this.#attempts?.fail(address);
  }

  /** @throws TooManyAttempts */
  #requirePatience(address: string): void {
    const waitMs = this.#attempts?.waitMs(address) ?? 0;
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
  }
}

/** The address that the request came from; serve_control.ts knows it. */
function addressOf(context: Context): string {
  const { remoteAddress } = (context.env ?? {}) as { readonly remoteAddress?: string };
  return remoteAddress ?? "unknown";
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function refusal(found: string): AgentError {
  return new AgentError("auth", `Cannot use the control endpoint: found ${found}, need access`, {
    hint: "Pass --control-token FILE with the token of the daemon's control_token.",
  });
}
