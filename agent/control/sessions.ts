// Browsers that are logged in. A session is a secret of chance, kept here as its SHA-256 and in the
// browser as a cookie; the token is in neither.
//
// Invariants: a session ends SESSION_MS after its login, whatever happens in between; at most
// SESSIONS_MAX exist. They are in memory: a restart logs everybody out.

import { createHash } from "node:crypto";
import { encodeHex } from "../../transport/ground/hex.ts";
import type { Clock, Random } from "../../transport/runtime/runtime.ts";
import { SESSION_BYTES, SESSION_MS, SESSIONS_MAX } from "./limits.ts";

const COOKIE = "agent_session";

export class Sessions {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #random: Random;
  /** When each ends, by its name, in the order of their logins. */
  readonly #endMs = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonicMs">, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Begins a session. @returns the Set-Cookie header */
  begin(): string {
    const oldest = this.#endMs.size >= SESSIONS_MAX ? this.#endMs.keys().next().value : undefined;
    if (oldest !== undefined) this.#endMs.delete(oldest);
    const secret = encodeHex(this.#random.bytes(SESSION_BYTES));
    this.#endMs.set(nameOf(secret), this.#clock.monotonicMs() + SESSION_MS);
    return cookie(secret, SESSION_MS / 1000);
  }

  /** The name of the session that a Cookie header proves; null when it proves none. */
  find(header: string | undefined): string | null {
    const secret = new RegExp(`(?:^|;\\s*)${COOKIE}=([0-9a-f]+)(?:;|$)`).exec(header ?? "")?.[1];
    if (secret === undefined) return null;
    const name = nameOf(secret);
    const endMs = this.#endMs.get(name);
    if (endMs === undefined) return null;
    if (this.#clock.monotonicMs() < endMs) return name;
    this.#endMs.delete(name);
    return null;
  }

  /** Ends a session. @returns the Set-Cookie header that makes the browser forget it */
  end(name: string | null): string {
    if (name !== null) this.#endMs.delete(name);
    return cookie("", 0);
  }
}

/** What the audit log calls a session: it proves nothing. */
function nameOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 32);
}

function cookie(secret: string, seconds: number): string {
  return `${COOKIE}=${secret}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`;
}
