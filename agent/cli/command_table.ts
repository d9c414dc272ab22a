// All commands, as data: parsing, help and the command reference are made from this table.

import type { Command } from "./command.ts";
import {
  arrayCheck,
  arrayCreate,
  arrayDestage,
  arrayGrow,
  arrayPowerFail,
  arrayRemove,
  arrayRepair,
  arrayStatus,
} from "./commands/array.ts";
import { arrayFault } from "./commands/array_fault.ts";
import { backupDatabase, backupFilesystem } from "./commands/backup.ts";
import { backups, ls, show } from "./commands/backups.ts";
import { catalogRebuild } from "./commands/catalog.ts";
import { configCheck } from "./commands/config_check.ts";
import { diff, find } from "./commands/find.ts";
import { cancel, job, jobs, status, trace } from "./commands/jobs.ts";
import { pkiInit, pkiIssue } from "./commands/pki.ts";
import { restore } from "./commands/restore.ts";
import { drill } from "./commands/drill.ts";
import { expire, pin } from "./commands/retention.ts";
import { role } from "./commands/role.ts";
import { schedules } from "./commands/schedules.ts";
import { stgFormat, stgStatus } from "./commands/stg.ts";
import { stgBench } from "./commands/stg_bench.ts";
import { validate } from "./commands/validate.ts";
import { verify } from "./commands/verify.ts";
import { walGet } from "./commands/wal_get.ts";
import { walPush } from "./commands/wal_push.ts";
import { walVerify } from "./commands/wal_verify.ts";

export const ROOT_COMMAND: Command = role;

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  configCheck,
  arrayCreate,
  arrayStatus,
  arrayCheck,
  arrayRepair,
  arrayGrow,
  arrayDestage,
  arrayPowerFail,
  arrayFault,
  arrayRemove,
  stgFormat,
  stgStatus,
  stgBench,
  validate,
  backupFilesystem,
  backupDatabase,
  backups,
  show,
  ls,
  find,
  diff,
  restore,
  verify,
  drill,
  pin,
  expire,
  walPush,
  walGet,
  walVerify,
  catalogRebuild,
  status,
  schedules,
  jobs,
  job,
  cancel,
  trace,
  pkiInit,
  pkiIssue,
];
