// The door of the control room: the endpoint, its client, and the daemon's face.

export type * from "./array_view.ts";
export type * from "./certificate_view.ts";
export type * from "./daemon.ts";
export type * from "./drill_view.ts";
export type * from "./restore_view.ts";
export type * from "./schedule_view.ts";
export type * from "./stg_view.ts";
export type * from "./wal_view.ts";
export type * from "./wal_report_view.ts";
export { hostsOf, type TcpAccess } from "./access.ts";
export { type ControlAppOptions, createControlApp, createWalApp } from "./app.ts";
export { ControlClient } from "./control_client.ts";
export { ControlConnection } from "./control_connection.ts";
export { type LadderRow, laddersOf } from "./ladder_plan.ts";
export { serveControl, type ServedControl } from "./serve_control.ts";
export { readToken } from "./token_file.ts";
