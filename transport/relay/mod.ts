// The door of the relay between threads.

export { type RelayAddresses, RelayConn } from "./relay_conn.ts";
export { serveRelay } from "./serve_relay.ts";
