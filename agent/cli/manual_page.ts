// The manual page agent(1), made from the table of commands: roff of the man macros. Pure.

import type { Command } from "./command.ts";
import { commandHelp, EXIT_CODES } from "./help.ts";

/** @param version of the program */
export function manualPage(root: Command, commands: readonly Command[], version: string): string {
  const lines = [
    `.TH AGENT 1 "" "agent ${version}" "LAN-free agent"`,
    ".SH NAME",
    "agent \\- back up and restore hosts through the storage they share",
    ".SH SYNOPSIS",
    ".B agent \\-\\-role",
    "server|client [\\-\\-config FILE]",
    ".br",
    ".B agent",
    "COMMAND [OPTIONS] [ARGUMENTS]",
    ".SH DESCRIPTION",
    "One program is backup server and client. Control and status travel over the LAN, data through",
    "storage that both hosts are attached to. The media of its backups restore with zstd and tar.",
    ".SH COMMANDS",
  ];
  for (const command of [root, ...commands]) {
    lines.push(`.SS "agent ${roff(command.name === "" ? "--role" : command.name)}"`, ".nf");
    lines.push(roff(commandHelp(command).trimEnd()), ".fi");
  }
  lines.push(".SH EXIT STATUS");
  for (const [code, meaning] of EXIT_CODES) lines.push(".TP", `.B ${code}`, roff(meaning));
  lines.push(
    ".SH ENVIRONMENT",
    ".TP",
    ".B AGENT_CONTROL",
    "Address of the daemon: unix:PATH or http://HOST:PORT.",
    ".TP",
    ".B AGENT_CONTROL_TOKEN_FILE",
    "File with the token for http.",
    ".TP",
    ".B NO_COLOR",
    "No colours, whatever the terminal.",
    ".SH FILES",
    ".I /etc/agent/server.yaml, /etc/agent/client.yaml",
    ".SH SEE ALSO",
    "systemctl(1), tar(1), zstd(1)",
  );
  return `${lines.join("\n")}\n`;
}

/** Text as it is: no line is a request, no character an escape. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll(/^(?=[.'])/gm, "\\&");
}
