// The network with identities: mutual TLS 1.3 in which each end is one of the agents that the other
// is configured to talk to. A Network like the plain one, so the network mechanism runs on either.

import { AgentError } from "../ground/error.ts";
import type { Network, Runtime, TlsCredentials } from "../runtime/runtime.ts";
import { certificateNames } from "./certificate_names.ts";
import { exchangeGreeting, type GreetingOptions } from "./greeting.ts";

/** What a reload of the configuration may change while listeners are open. */
export interface SecureIdentity extends Omit<GreetingOptions, "name"> {
  readonly credentials: TlsCredentials;
}

export interface SecureNetworkOptions extends SecureIdentity {
  /** Our own name. */
  readonly name: string;
  /** Told of every connection that a listener turned away. */
  readonly onRefused: (error: AgentError) => void;
}

export interface SecureNetwork extends Network {
  /** For handshakes that begin from now on. @throws AgentError `usage`; nothing changed then */
  renew(identity: SecureIdentity): void;
}

/**
 * Every connection of the network has a `peerName`, one of `options.peers`.
 * @throws AgentError `usage` when the credentials cannot be used
 */
export function secureNetwork(
  runtime: Pick<Runtime, "secureNetwork">,
  options: SecureNetworkOptions,
): SecureNetwork {
  const { name, credentials, onRefused } = options;
  let greeting: GreetingOptions = options;
  const network = runtime.secureNetwork({
    credentials,
    onRefused,
    greet: (peer) => exchangeGreeting(peer, greeting),
  });
  checkOwnName(name, credentials);
  return {
    listen: (where) => network.listen(where),
    connect: (where) => network.connect(where),
    renew: (identity) => {
      checkOwnName(name, identity.credentials);
      network.renew(identity.credentials);
      greeting = { ...identity, name };
    },
  };
}

/** Peers would refuse another name, each with a message of its own; say it here, once. */
function checkOwnName(name: string, credentials: TlsCredentials): void {
  const names = certificateNames(derOf(credentials.cert));
  if (names.includes(name)) return;
  const found = names.length === 0 ? "no name" : names.map((one) => `"${one}"`).join(", ");
  throw new AgentError("usage", `Cannot use \`tls.cert\`: found ${found} in it, need "${name}"`, {
    hint: `Issue one with \`agent pki issue DIR ${name}\`, or correct \`name\`.`,
  });
}

/** The first certificate of a PEM text; empty when there is none. */
export function derOf(pem: string): Uint8Array {
  const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem);
  const base64 = (block?.[1] ?? "").replace(/\s/g, "");
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}
