// The door of the runtime seam.

export type { ArrivalLimits } from "./arrival_policy.ts";
export {
  type Aead,
  AEAD_KEY_BYTES,
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  type AeadKey,
} from "./aead.ts";
export { currentRuntime } from "./current_runtime.ts";
export type { DirectIo, DirectQueue, DirectRequest, OnCompletion } from "./direct_io.ts";
export { errnoName } from "./errno.ts";
export {
  AT_CWD,
  type DirectoryEntry,
  type Files,
  type FileStat,
  type FileType,
  type OpenFlags,
  type PathBytes,
  SystemError,
  type Xattrs,
  type XattrSubject,
} from "./files.ts";
export type { LocalSocket, LocalSocketOptions, UserId } from "./local_socket.ts";
export { type ProcessIdentity, type ProcessTable, ProcProcessTable } from "./process_table.ts";
export { readSmallFile } from "./small_file.ts";
export type {
  ChildProcess,
  ChildProcessOptions,
  Clock,
  Door,
  Network,
  PipedProcess,
  PipedProcessOptions,
  Process,
  Random,
  Runtime,
  SharedMemories,
  SharedMemory,
  Thread,
  TlsCredentials,
  TlsNetwork,
  TlsOptions,
  TlsPeer,
} from "./runtime.ts";
