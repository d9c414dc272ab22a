// The network with identities: mutual TLS 1.3 in which each end is one of the agents that the other
// is configured to talk to. A Network like the plain one, so the network mechanism runs on either.

import type { AgentError } from "../ground/error.ts";
import type { Network, Runtime, TlsCredentials } from "../runtime/runtime.ts";
import { exchangeGreeting, type GreetingOptions } from "./greeting.ts";

export interface SecureNetworkOptions extends GreetingOptions {
  readonly credentials: TlsCredentials;
  /** Told of every connection that a listener turned away. */
  readonly onRefused: (error: AgentError) => void;
}

/**
 * Every connection of the network has a `peerName`, one of `options.peers`.
 * @throws AgentError `usage` when the credentials cannot be used
 */
export function secureNetwork(
  runtime: Pick<Runtime, "secureNetwork">,
  options: SecureNetworkOptions,
): Network {
  const { credentials, onRefused } = options;
  return runtime.secureNetwork({
    credentials,
    onRefused,
    greet: (peer) => exchangeGreeting(peer, options),
  });
}
