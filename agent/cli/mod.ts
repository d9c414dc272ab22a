// The door of the command line.

export { type CliParts, runCli } from "./run_cli.ts";
export { createOutput, type Output } from "./output.ts";
export type { ArrayFinding, FormatReport, OfflineOperations } from "./offline.ts";
export { COMMANDS, ROOT_COMMAND } from "./command_table.ts";
export { commandReference } from "./help.ts";
export { completionScript, SHELLS } from "./completion_script.ts";
export { manualPage } from "./manual_page.ts";
