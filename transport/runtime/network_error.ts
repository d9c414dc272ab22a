// Errors of sockets, as either runtime names them, made operating errors that callers switch on.

import { AgentError, type ErrorCode } from "../ground/error.ts";

/** By `code` of the operating system's errors, and by `name` where Deno gives no code. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "refused",
  ConnectionRefused: "refused",
  EADDRINUSE: "port_in_use",
  AddrInUse: "port_in_use",
  ECONNRESET: "reset",
  ConnectionReset: "reset",
  ECONNABORTED: "reset",
  ConnectionAborted: "reset",
  EPIPE: "reset",
  BrokenPipe: "reset",
  ENOTCONN: "reset",
  NotConnected: "reset",
  ETIMEDOUT: "timeout",
  TimedOut: "timeout",
  EHOSTUNREACH: "unreachable",
  HostUnreachable: "unreachable",
  ENETUNREACH: "unreachable",
  NetworkUnreachable: "unreachable",
  EHOSTDOWN: "unreachable",
  ENOTFOUND: "unreachable",
  EAI_AGAIN: "unreachable",
};

const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  refused: "Start the agent there, or correct the address and port in the configuration.",
  port_in_use: "Stop the program that uses the port, or choose another `network.port`.",
  unreachable: "Check the address in the configuration and the route to it.",
};

const FOUND: Readonly<Partial<Record<ErrorCode, string>>> = {
  refused: "nobody listens there, need a listening agent",
  port_in_use: "the port is in use, need a free one",
  reset: "the peer reset the connection, need it open",
  timeout: "the peer did not answer, need an answer",
  unreachable: "there is no way to the address, need a reachable one",
};

/** @param action what was done and to whom: `connect to "127.0.0.1:7430"` */
export function networkError(action: string, thrown: unknown): AgentError {
  if (thrown instanceof AgentError) return thrown;
  const { code, name, message } = describe(thrown);
  const mapped = CODES[code] ?? CODES[name] ?? "failed";
  const found = FOUND[mapped] ?? `${message}, need a working socket`;
  const options = { hint: HINTS[mapped], cause: thrown };
  return new AgentError(mapped, `Cannot ${action}: ${found}`, options);
}

function describe(thrown: unknown): { code: string; name: string; message: string } {
  if (!(thrown instanceof Error)) return { code: "", name: "", message: String(thrown) };
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  return { code, name: thrown.name, message: thrown.message };
}
