// What both ends say to each other right after the TLS handshake: one byte each, whether the
// certificate names somebody that this end is configured to talk to.
//
//   1  your name is one that I talk to
//   2  it is not; the connection ends here
//
// TLS 1.3 lets the connecting end send before the listening one has looked at its certificate, and
// has no alert for a wrong name. So each end waits for the other's byte, the listening one's first:
// nothing else is sent before both agree, and both can say why when they do not.

import { AgentError } from "../ground/error.ts";
import type { TlsPeer } from "../runtime/runtime.ts";
import { certificateFacts } from "./certificate_facts.ts";
import { certificateNames } from "./certificate_names.ts";
import { SHOWN_NAMES_MAX } from "./limits.ts";

const ACCEPTED = 1;
const REFUSED = 2;

export interface GreetingOptions {
  /** Our own name. */
  readonly name: string;
  /** Names of the agents that this end talks to. */
  readonly peers: readonly string[];
  /** Whether a certificate was taken back, by its serial or a name; asked at each handshake. */
  readonly isRevoked?: (certificate: {
    readonly serial: string;
    readonly names: readonly string[];
  }) => boolean;
}

/**
 * Checks the peer's name and learns whether it accepts ours.
 * @returns the one configured name that its certificate carries
 * @throws AgentError `auth`
 */
export async function exchangeGreeting(peer: TlsPeer, options: GreetingOptions): Promise<string> {
  const { peers, isRevoked } = options;
  const names = certificateNames(peer.certificate);
  const matching = names.filter((name, index) =>
    peers.includes(name) && names.indexOf(name) === index
  );
  const { serial } = certificateFacts(peer.certificate);
  const revoked = isRevoked?.({ serial, names }) === true;
  const proved = matching.length === 1 && !revoked ? matching[0] : undefined;
  const refusal = () => revoked ? revokedError(peer, serial) : wrongName(peer, names, peers);
  const verdict = Uint8Array.of(proved === undefined ? REFUSED : ACCEPTED);
  const answer = new Uint8Array(1);
  // The listening end speaks first: nothing reaches it before its handshake is over.
  if (peer.side === "listening") await peer.write(verdict);
  if (peer.side === "listening" && proved === undefined) throw refusal();
  const count = await peer.read(answer);
  if (peer.side === "connecting" && count === 1) await peer.write(verdict);
  if (proved === undefined) throw refusal();
  if (count === 1 && answer[0] === ACCEPTED) return proved;
  if (count === 1 && answer[0] === REFUSED) throw refusedName(peer, proved, options.name);
  throw new AgentError(
    "auth",
    `Cannot ${actionOf(peer)}: "${proved}" ended it instead of accepting our certificate`,
    { hint: "Check that both ends have certificates of one CA; see the peer's log." },
  );
}

function revokedError(peer: TlsPeer, serial: string): AgentError {
  return new AgentError(
    "auth",
    `Cannot ${actionOf(peer)}: its certificate, serial ${serial}, is revoked, need another`,
    { hint: "Give that host a new certificate with `agent pki issue`." },
  );
}

function wrongName(
  peer: TlsPeer,
  names: readonly string[],
  peers: readonly string[],
): AgentError {
  const found = names.length === 0 ? "no name" : quoted(names);
  const needed = peers.length === 0 ? "no peer is configured" : `need ${oneOf(peers)}`;
  return new AgentError(
    "auth",
    `Cannot ${actionOf(peer)}: found ${found} in its certificate, ${needed}`,
    {
      hint: "Correct the name in the configuration (`clients`, `server.name`), or give that host " +
        "its own certificate with `agent pki issue`.",
    },
  );
}

function refusedName(peer: TlsPeer, proved: string, own: string): AgentError {
  return new AgentError(
    "auth",
    `Cannot ${actionOf(peer)}: "${proved}" found "${own}" in our certificate, need a name that ` +
      "it is configured for",
    { hint: `Name "${own}" in the configuration of "${proved}" (\`clients\`, \`server.name\`).` },
  );
}

function oneOf(peers: readonly string[]): string {
  if (peers.length === 1) return quoted(peers);
  return peers.length <= SHOWN_NAMES_MAX
    ? `one of ${quoted(peers)}`
    : `one of ${peers.length} configured names`;
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES_MAX).map((name) => JSON.stringify(name)).join(", ");
  return names.length > SHOWN_NAMES_MAX ? `${shown} and others` : shown;
}

function actionOf({ side, address }: TlsPeer): string {
  return side === "connecting" ? `connect to "${address}"` : `accept "${address}"`;
}
