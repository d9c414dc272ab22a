// Door of the job room.

export { finishLink } from "./finish_link.ts";
export { FramesInWork } from "./frames_in_work.ts";
export { Job } from "./job.ts";
export { JobRunner } from "./job_runner.ts";
export { sourceOfRequest } from "./job_source.ts";
export { JobThread } from "./job_thread.ts";
export {
  CLOSE_GRACE_MS,
  ENDPOINTS_PER_JOB,
  framesInWork,
  PEER_JOBS_MAX,
  SCAN_LIMIT_MS,
  SKIPPED_CHARACTERS_MAX,
  WAL_FILE_BYTES_MAX,
  WARNINGS_MAX,
} from "./limits.ts";
export { JobLink, type LinkMessage } from "./link.ts";
export type { CutAnswer, LinkDocument } from "./link_document.ts";
export type { LinkConns, RejoinOptions } from "./network_rejoin.ts";
export type { LaneOptions } from "./storage_lane.ts";
export { receivePieces, sendPieces } from "./pieces.ts";
export { sendForResult, unlessBroken } from "./send_for_result.ts";
export { groupOf, NOT_CONFIGURED, type Prove } from "./storage_access.ts";
export type {
  ClientDatabaseTask,
  ClientFilesystemTask,
  EncryptionPart,
  FromWorker,
  FromWriter,
  NetworkPart,
  ServerDatabaseTask,
  ServerDrillTask,
  ServerExpireTask,
  ServerFilesystemTask,
  ServerRebuildTask,
  ServerValidateTask,
  ServerVerifyTask,
  ServerVerifyWalTask,
  StgAccess,
  ToWorker,
  ToWriter,
  Validation,
  VolumeSource,
  WorkerResult,
  WorkerTask,
} from "./worker_protocol.ts";
export { STREAM_RECORDS_MAX } from "./limits.ts";
export type { FileDigest, OwnFile, WalAction, WalAnswer, WalRequest } from "./wal_request.ts";
export { type Adopted, WorkerSession } from "./worker_session.ts";
