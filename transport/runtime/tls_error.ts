// Failures of TLS handshakes, as either runtime's library names them, made operating errors.
//
// The libraries agree on codes only in part (alerts carry the version's name in one, not in the
// other), so the code and the text together are searched for what the cases have in common.

import { AgentError } from "../ground/error.ts";

interface Failure {
  readonly pattern: RegExp;
  readonly found: string;
  readonly hint: string;
}

const ISSUE = "Issue a new certificate with `agent pki issue`, and restart the agent there.";
const SAME_CA = "Use certificates that were issued by one CA on both ends (`agent pki`).";
const BOTH_TLS = "Set `tls` in both configurations, of the server and of the client.";

/** The first that fits counts: alerts stand before the reasons that they are named after. */
const FAILURES: readonly Failure[] = [
  {
    pattern: /alert.*(?:unknown.?ca|decrypt.?error|bad.?certificate|certificate.?unknown)/i,
    found: "the peer does not trust our certificate, need one of its CA",
    hint: SAME_CA,
  },
  {
    pattern: /alert.*certificate.?expired/i,
    found: "the peer says that our certificate has expired, need a valid one",
    hint: "Issue a new certificate with `agent pki issue`, and restart this agent.",
  },
  {
    pattern: /alert.*certificate.?required/i,
    found: "the peer got no certificate from us, need one",
    hint: SAME_CA,
  },
  {
    pattern:
      /alert.*protocol.?version|unsupported.?protocol|Tls12NotOffered|no.?shared|incompatible/i,
    found: "the peer does not speak TLS 1.3, need that version",
    hint: BOTH_TLS,
  },
  { pattern: /expired/i, found: "its certificate has expired, need a valid one", hint: ISSUE },
  {
    pattern: /not.?(?:yet.?valid|valid.?yet)/i,
    found: "its certificate is not valid yet, need a valid one",
    hint: "Set the clocks of both hosts.",
  },
  {
    pattern: /did.?not.?return.?a.?certificate|no certificates/i,
    found: "it showed no certificate, need one of our CA",
    hint: SAME_CA,
  },
  {
    // Deno says so of expired ones too.
    pattern: /unable.?to.?verify/i,
    found: "its certificate is not of our CA or not valid now, need one that is",
    hint: SAME_CA,
  },
  {
    pattern: /issuer|self.?signed|signature|purpose|ca.?used.?as|invalid.?ca/i,
    found: "its certificate is not of our CA, need one that is",
    hint: SAME_CA,
  },
  {
    pattern: /wrong.?version|http.?request|corrupt message|unexpected.?message|decode/i,
    found: "it does not speak TLS, need TLS 1.3",
    hint: BOTH_TLS,
  },
  {
    pattern: /reset|EPIPE|hang up|disconnected|closed|UnexpectedEof/i,
    found: "the peer broke off the proof of identity, need it finished",
    hint: "Check that both ends have `tls` with certificates of one CA; see the peer's log.",
  },
];

/** @param action what was done and to whom: `connect to "10.0.0.1:7430"` */
export function tlsError(action: string, thrown: unknown): AgentError {
  // Until the greeting is over, a reset is how a peer without TLS, or another library, says no.
  if (thrown instanceof AgentError && thrown.code !== "reset") return thrown;
  const text = describe(thrown);
  const failure = FAILURES.find(({ pattern }) => pattern.test(text));
  const found = failure?.found ?? `the TLS handshake failed (${text}), need it finished`;
  const options = { hint: failure?.hint ?? SAME_CA, cause: thrown };
  return new AgentError("auth", `Cannot ${action}: ${found}`, options);
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code = "code" in thrown && typeof thrown.code === "string" ? `${thrown.code} ` : "";
  return `${code}${thrown.message}`;
}
