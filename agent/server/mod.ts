// Door of the server role: its daemon, and its jobs as a worker runs them.

export { runServerDatabase } from "./database_job.ts";
export { runServerDrill } from "./drill_job.ts";
export { runServerExpire } from "./expire_job.ts";
export { runServerFilesystem } from "./filesystem_job.ts";
export { ServerDaemon } from "./server_daemon.ts";
export { runServerValidate } from "./validate_job.ts";
export { runServerVerify } from "./verify_job.ts";
export { runServerVerifyWal } from "./verify_wal_job.ts";
export { runServerRebuild } from "./rebuild_job.ts";
