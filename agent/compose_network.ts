// The network mechanism of a thread: plain on loopback, with `tls` mutual TLS 1.3 in which each
// peer must prove the name that the configuration gives it.
//
// What crosses to a job's worker is NetworkPart: names and paths. Each thread reads the key itself,
// so that no key lies in a message.

import {
  type AgentError,
  type Mechanism,
  type Network,
  type Runtime,
  secureNetwork,
  TcpMechanism,
  type TlsCredentials,
} from "../transport/mod.ts";
import type { Config } from "./config/mod.ts";
import type { NetworkPart, WorkerTask } from "./job/mod.ts";
import { readCredentials } from "./read_credentials.ts";
import { revocations } from "./revocations.ts";

/** Who a daemon talks to over its network, as plain data. */
export function networkPartOf(config: Config): NetworkPart {
  const peers = config.role === "server"
    ? config.clients.map((client) => client.name)
    : config.server.name === null
    ? []
    : [config.server.name];
  return { name: config.name, tls: config.tls, peers };
}

/** A job talks to one peer only: the client that it is for, or the client's own server. */
export function networkPartOfJob(part: NetworkPart, task: WorkerTask): NetworkPart {
  return "client" in task ? { ...part, peers: [task.client.name] } : part;
}

/**
 * The sockets of `AF_INET`. `onRefused` is told of strangers that a listener turned away.
 * @throws AgentError `usage` when a file of `tls` cannot be read or used
 */
export function networkMechanism(
  runtime: Runtime,
  part: NetworkPart,
  onRefused: (error: AgentError) => void,
): Mechanism {
  return new TcpMechanism(networkOf(runtime, part, onRefused));
}

function networkOf(
  runtime: Runtime,
  part: NetworkPart,
  onRefused: (error: AgentError) => void,
): Network {
  const { name, tls, peers } = part;
  if (tls === null) return runtime.network;
  const credentials: TlsCredentials = readCredentials(runtime.files, tls);
  const isRevoked = tls.revoked === null ? {} : {
    isRevoked: revocations(runtime.files, tls.revoked),
  };
  return secureNetwork(runtime, { name, peers, credentials, onRefused, ...isRevoked });
}
