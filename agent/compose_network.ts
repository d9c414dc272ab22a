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
  type SecureIdentity,
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

/** The network of a daemon's main thread, whose certificates and peers may change. */
export interface DaemonNetwork {
  readonly mechanism: Mechanism;
  /** As jobs that begin now are given it. */
  readonly part: NetworkPart;
  /** What handshakes show now; null without `tls`. */
  readonly credentials: TlsCredentials | null;
  /**
   * Checks the files of another part with the same `name`, with `tls` as this one or without.
   * @returns takes it
   * @throws AgentError `usage` when a file of `tls` cannot be read or used
   */
  prepare(part: NetworkPart): () => void;
}

/** @throws AgentError `usage` when a file of `tls` cannot be read or used */
export function daemonNetwork(
  runtime: Runtime,
  part: NetworkPart,
  onRefused: (error: AgentError) => void,
): DaemonNetwork {
  let current = part;
  let identity = identityOf(runtime, part);
  const secure = identity === null
    ? null
    : secureNetwork(runtime, { name: part.name, ...identity, onRefused });
  return {
    mechanism: new TcpMechanism(secure ?? runtime.network),
    get part() {
      return current;
    },
    get credentials() {
      return identity?.credentials ?? null;
    },
    prepare: (next) => {
      const renewed = identityOf(runtime, next);
      if (secure === null || renewed === null) return () => current = next;
      // One that nobody uses: it looks at them.
      secureNetwork(runtime, { name: next.name, ...renewed, onRefused });
      return () => {
        secure.renew(renewed);
        identity = renewed;
        current = next;
      };
    },
  };
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
  const identity = identityOf(runtime, part);
  const network: Network = identity === null
    ? runtime.network
    : secureNetwork(runtime, { name: part.name, ...identity, onRefused });
  return new TcpMechanism(network);
}

/** What the files of `tls` say; null without it. */
function identityOf(runtime: Runtime, { tls, peers }: NetworkPart): SecureIdentity | null {
  if (tls === null) return null;
  const credentials: TlsCredentials = readCredentials(runtime.files, tls);
  if (tls.revoked === null) return { credentials, peers };
  return { credentials, peers, isRevoked: revocations(runtime.files, tls.revoked) };
}
