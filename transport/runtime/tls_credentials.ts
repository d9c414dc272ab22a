// Checks the certificate, key and CA of this end before they are used: Deno takes anything here and
// would fail at the first handshake, where nobody looks.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { AgentError } from "../ground/error.ts";
import type { TlsCredentials } from "./runtime.ts";

/**
 * @param nowMs since 1970
 * @throws AgentError `usage` that says which of the three is wrong
 */
export function checkCredentials({ ca, cert, key }: TlsCredentials, nowMs: number): void {
  const authority = parse("ca", ca, (text) => new X509Certificate(text));
  const certificate = parse("cert", cert, (text) => new X509Certificate(text));
  const privateKey = parse("key", key, (text) => createPrivateKey(text));
  if (!authority.ca) throw bad("ca", "the certificate of a host, need that of the CA");
  if (!certificate.checkPrivateKey(privateKey)) {
    throw bad("key", "the key of another certificate, need that of `tls.cert`");
  }
  for (
    const [name, { validFrom, validTo }] of [["ca", authority], ["cert", certificate]] as const
  ) {
    if (nowMs > Date.parse(validTo)) {
      throw bad(name, `that it expired on ${isoTime(validTo)}, need a new one`);
    }
    if (nowMs < Date.parse(validFrom)) {
      throw bad(
        name,
        `that it is valid from ${isoTime(validFrom)} on, need the clock of this host right`,
      );
    }
  }
}

/** From "Feb  1 00:00:00 2025 GMT", as X.509 libraries write it. */
function isoTime(text: string): string {
  return new Date(text).toISOString();
}

function parse<T>(key: keyof TlsCredentials, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    const what = key === "key" ? "private key" : "certificate";
    throw bad(key, `no ${what}, need one in PEM form`, error);
  }
}

function bad(key: keyof TlsCredentials, found: string, cause?: unknown): AgentError {
  return new AgentError("usage", `Cannot use \`tls.${key}\`: found ${found}`, {
    hint: "Make the files with `agent pki init` and `agent pki issue`.",
    cause,
  });
}
