// The door of the in-memory transport.

export { MemoryConn, memoryPair, type MemoryPairOptions } from "./memory_conn.ts";
export { MemoryNetwork } from "./memory_network.ts";
