// Door of the connection flows of Fig. 4, 4A and 5.

export { connectFileSystem, type Fig4Connections } from "./fig4_server.ts";
export { FileSystemDoor, type FileSystemSession } from "./fig4_client.ts";
export { connectStorage } from "./fig4a_server.ts";
export {
  acceptStorage,
  checkGroup,
  receiveStorageSetup,
  type StorageSetup,
} from "./fig4a_client.ts";
export {
  connectDatabase,
  type DatabaseConnection,
  type NegotiatedConnection,
  type OfferedConnection,
} from "./fig5_client.ts";
export {
  connectBack,
  type DatabaseAnnouncement,
  holdAnnouncement,
  receiveAnnouncement,
} from "./fig5_server.ts";
export { checkSameJob, type FlowContext, type FlowIdentity } from "./flow_exchange.ts";
export type { Hello, PortMessage, StgMessage } from "./flow_messages.ts";
export { type Figure, type FlowStep, FlowTrace, type Side, type Tracer } from "./flow_trace.ts";
export { REJOIN_VERSION, RESUME_VERSION, SELECTION_VERSION, WAL_VERSION } from "./flow_version.ts";
export { type Accepted, ListeningPort } from "./listening_port.ts";
export {
  type Fallback,
  FALLBACK_CODES,
  FALLBACK_REASONS,
  type FallbackReason,
  isFallbackReason,
  isHostGone,
  isVolumeFailure,
  lossFallback,
  setupFallback,
  StorageError,
} from "./fallback_reason.ts";
export { SECRET_BYTES, STREAMS_MAX, TOKEN_BYTES } from "./limits.ts";
export { freshSecret, type GroupEncryption } from "./stp_encryption.ts";
export type { StorageGroup, UnusableGroup } from "./stp_steps.ts";
export { connectStream, offerStream } from "./stp_streams.ts";
