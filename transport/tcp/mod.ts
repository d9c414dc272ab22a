// The door of the network mechanism.

export { TcpMechanism } from "./tcp_mechanism.ts";
