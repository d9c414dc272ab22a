// Door of the client role: its daemon, and its jobs as a worker runs them.

export { ClientDaemon } from "./client_daemon.ts";
export { runClientDatabase } from "./database_job.ts";
export { runClientFilesystem } from "./filesystem_job.ts";
