// The door of encrypted connections.

export { SealedConn, type SealedConnOptions } from "./sealed_conn.ts";
