// The other hosts: does somebody answer at their address, and with `tls` do both prove who they
// are? The handshake also tells of a clock that is too far off for a certificate.

import { AgentError, type Network, type Runtime, secureNetwork } from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { readCredentials } from "../read_credentials.ts";
import { doubtful, failed, type Finding, good } from "./finding.ts";
import { PEER_MS, PEERS_MAX } from "./limits.ts";

interface Peer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export async function checkPeers(runtime: Runtime, config: Config): Promise<readonly Finding[]> {
  const peers = peersOf(config);
  let network: Network;
  try {
    network = networkTo(runtime, config, peers);
  } catch (error) {
    if (error instanceof AgentError) return []; // checkCertificates() says why.
    throw error;
  }
  return await Promise.all(peers.map((peer) => checkPeer(network, peer, config.tls !== null)));
}

function peersOf(config: Config): readonly Peer[] {
  if (config.role === "server") return config.clients.slice(0, PEERS_MAX);
  const { name, address, port } = config.server;
  return [{ name: name ?? "server", address, port }];
}

function networkTo(runtime: Runtime, config: Config, peers: readonly Peer[]): Network {
  if (config.tls === null) return runtime.network;
  return secureNetwork(runtime, {
    name: config.name,
    peers: peers.map(({ name }) => name),
    credentials: readCredentials(runtime.files, config.tls),
    onRefused: () => {},
  });
}

async function checkPeer(network: Network, peer: Peer, isSecure: boolean): Promise<Finding> {
  const { name, address, port } = peer;
  const said = { check: "peer", subject: name };
  try {
    const conn = await network.connect({ address, port, timeoutMs: PEER_MS });
    conn.abort("that was all");
    const how = isSecure ? "with TLS, each knows the other" : "without TLS";
    return good(said, `answers at ${address}:${port} ${how}`);
  } catch (error) {
    const isSilent = error instanceof AgentError && error.code !== "auth";
    if (!isSilent) return failed(said, error);
    return doubtful(said, error.message, error.hint ?? "Start the agent there; see its firewall.");
  }
}
