// The door of the storage transport: format and describe a group, join it, and open sockets on it.

export type { EndpointLease } from "./endpoint_lease.ts";
export { proveMedium, type ProveOptions } from "./prove_medium.ts";
export { type FormatOptions, formatStg } from "./stg_format.ts";
export { type ReadIdentityOptions, readStgIdentity } from "./stg_identity.ts";
export { layoutBytes, planLayout, ringSlots, type StgLayout } from "./stg_layout.ts";
export type { HostClaim, StgIdentity } from "./stg_medium.ts";
export { type JoinOptions, StgMember } from "./stg_member.ts";
export { type HostTable, readHostTable } from "./host_table.ts";
export type { HostStatus } from "./hosts_observer.ts";
export {
  type ConnectionStatus,
  type EndpointCounts,
  type ErrorCounts,
  type HostReport,
  readStgStatus,
  type StgStatus,
} from "./stg_status.ts";
export { StpConn } from "./stp_conn.ts";
export { StpMechanism, type StpMechanismOptions } from "./stp_mechanism.ts";
export { type StpTiming, stpTiming } from "./stp_timing.ts";
