// The door of the configuration room: everything that other rooms may use.

export type {
  ChannelPolicy,
  ClientConfig,
  ClientEntry,
  Config,
  ControlAddress,
  DatabaseEntry,
  EncryptionConfig,
  FullEvery,
  HookConfig,
  HooksConfig,
  JobsConfig,
  NetworkConfig,
  Retention,
  RetentionConfig,
  ScheduleEntry,
  ScheduleTask,
  ServerConfig,
  StgConfig,
  TlsConfig,
  WalSocketConfig,
} from "./config.ts";
export {
  type ConfigProblem,
  type ConfigResult,
  formatProblem,
  requireConfig,
} from "./config_problem.ts";
export { streamsOf } from "./config.ts";
export { MAX_RECIPIENTS } from "./limits.ts";
export { closestName } from "./closest_name.ts";
export { loadClientConfig, loadConfig, loadConfigText, loadServerConfig } from "./load_config.ts";
export { formatSeconds, formatSize, parseDuration, parseSample, parseSize } from "./quantity.ts";
export { parseControlAddress } from "./control_address.ts";
export { fileNameSchema, isName } from "./shared_schema.ts";

export { describeIssue, section } from "./issue_text.ts";
