// The daemon that a command talks to: `--control`, AGENT_CONTROL or the default names it.

import { posix } from "node:path";
import { AgentError } from "../../transport/ground/error.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import type { ControlAddress } from "../config/mod.ts";
import { parseControlAddress } from "../config/control_address.ts";
import type { ControlConnectionOptions } from "../control/control_connection.ts";
import { readToken } from "../control/token_file.ts";
import type { ParsedArguments } from "./parse_args.ts";

const DEFAULT_CONTROL = "unix:/run/agent/control.sock";

/** @throws AgentError `usage` for what is no address, `auth` for a token that cannot be read */
export function daemonAddress(
  given: Pick<ParsedArguments, "value">,
  runtime: Runtime,
): ControlConnectionOptions {
  const { process } = runtime;
  const text = given.value("control") ?? nonEmpty(process.env("AGENT_CONTROL")) ?? DEFAULT_CONTROL;
  const address = parseControlAddress(text);
  if (address === null) {
    throw new AgentError(
      "usage",
      `Cannot use control address "${text}": need unix:PATH or http://HOST:PORT`,
      {
        hint: "Correct --control or AGENT_CONTROL.",
      },
    );
  }
  const token = given.value("control-token") ?? nonEmpty(process.env("AGENT_CONTROL_TOKEN_FILE"));
  return {
    address: absoluteAddress(address, process.cwd()),
    token: token === null ? null : readToken(runtime.files, posix.resolve(process.cwd(), token)),
  };
}

function absoluteAddress(address: ControlAddress, cwd: string): ControlAddress {
  if (address.kind === "http") return address;
  return { kind: "unix", path: posix.resolve(cwd, address.path) };
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
