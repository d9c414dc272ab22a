// Door of the transport room: sockets over the network and over shared storage, and the flows that
// set them up (the patent application, Fig. 3 to 5).

export type { Address, Conn, Listener, WaitOptions } from "./conn.ts";
export type { Completion, Volume } from "./volume.ts";
export * from "./ground/mod.ts";
export * from "./runtime/mod.ts";
export * from "./connect/mod.ts";
export * from "./flow/mod.ts";
export * from "./raw/mod.ts";
export { SealedConn } from "./sealed/mod.ts";
export { RelayConn, serveRelay } from "./relay/mod.ts";
export { TcpMechanism } from "./tcp/mod.ts";
export {
  type CertificateFacts,
  certificateFacts,
  certificateNames,
  derOf,
  normalSerial,
  type SecureIdentity,
  type SecureNetwork,
  secureNetwork,
  type SecureNetworkOptions,
} from "./tls/mod.ts";
export * from "./stp/mod.ts";
