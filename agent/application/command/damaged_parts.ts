// What is wrong with the parts of a backup, as an error.

import { AgentError } from "../../../transport/ground/error.ts";

export function damagedParts(found: string): AgentError {
  const message = `Cannot restore: found ${found}, need the parts of a command's output`;
  return new AgentError("damaged", message, {
    hint: "Run `agent verify --data` for the backup.",
  });
}

export function tooMuch(): AgentError {
  return damagedParts("more than the program takes");
}
