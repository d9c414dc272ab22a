// Gives the control app its socket: a Unix socket of mode 0600, or TCP.
//
// A Unix socket that a killed daemon left behind is removed, but only when nobody answers on it:
// a live daemon keeps it and the start ends with `busy`. `close` ends open event streams too.
// Directories that are made for a socket let everybody pass: the socket's own mode and owner say
// who may use it, and the one for a database's log has another owner than the one beside it.

import { getRequestListener } from "@hono/node-server";
import { createServer, request, type Server } from "node:http";
import { posix } from "node:path";
import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../../transport/runtime/files.ts";
import type { ArrivalLimits, Clock, Door, Runtime, UserId } from "../../transport/runtime/mod.ts";
import type { ControlAddress } from "../config/mod.ts";
import {
  CONTROL_ARRIVALS,
  KEEP_ALIVE_MS,
  MAX_SOCKET_PATH_BYTES,
  PROBE_TIMEOUT_MS,
} from "./limits.ts";
import { watchConnections } from "./watch_connections.ts";

const SOCKET_MODE = 0o600;
const DIRECTORY_MODE = 0o711;

export interface ServedControl {
  /** Where it listens; the port is the real one when 0 was asked for. */
  readonly address: ControlAddress;
  /** Stops listening, ends open connections, removes the socket. Idempotent. */
  close(): Promise<void>;
}

export interface ServeControlParts {
  readonly files: Files;
  readonly clock: Pick<Clock, "sleep">;
  readonly openDoor: Runtime["openDoor"];
  /** How many newcomers a TCP endpoint lets in; CONTROL_ARRIVALS when left out. */
  readonly arrivals?: ArrivalLimits;
  /** Whom a Unix socket belongs to; ourselves when left out. */
  readonly owner?: UserId;
}

/** Anything that answers requests: a Hono app. */
export interface Fetchable {
  fetch(
    request: Request,
    from?: { remoteAddress: string | undefined },
  ): Response | Promise<Response>;
}

/**
 * Serves `app` at `address`.
 * @throws AgentError `busy` when another daemon answers there, `port_in_use`, `failed`
 */
export async function serveControl(
  app: Fetchable,
  address: ControlAddress,
  { files, clock, owner, openDoor, arrivals = CONTROL_ARRIVALS }: ServeControlParts,
): Promise<ServedControl> {
  const listener = getRequestListener((request, { incoming }) =>
    app.fetch(request, {
      remoteAddress: incoming.socket.remoteAddress,
    }), {
    overrideGlobalObjects: false,
  });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  watchConnections(server, clock);
  if (address.kind === "unix") {
    await clearSocket(address.path, files);
    await listen(server, address, { path: address.path });
    files.changeMode(AT_CWD, address.path, SOCKET_MODE);
    if (owner !== undefined) giveTo(owner, address.path, files);
    return served(server, address);
  }
  await listen(server, address, { host: address.host, port: address.port });
  const bound = server.address();
  assert(bound !== null && typeof bound === "object", "what listens on TCP has an address");
  const door = openDoor(bound, arrivals);
  server.on("connection", (socket) => door.arrived(socket.remoteAddress ?? ""));
  return served(server, { ...address, port: bound.port }, door);
}

function served(server: Server, address: ControlAddress, door?: Door): ServedControl {
  let closing: Promise<void> | null = null;
  const close = () =>
    closing ??= new Promise<void>((resolve) => {
      door?.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { address, close };
}

function listen(
  server: Server,
  address: ControlAddress,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(address, error)));
    server.listen(where, () => resolve());
  });
}

function listenError(address: ControlAddress, cause: Error & { code?: string }): AgentError {
  const name = address.kind === "unix"
    ? `unix:${address.path}`
    : `http://${address.host}:${address.port}`;
  const inUse = cause.code === "EADDRINUSE";
  return new AgentError(
    inUse ? "port_in_use" : "failed",
    `Cannot listen at "${name}": ${cause.code ?? cause.message}, need a free address`,
    {
      hint: inUse
        ? "Choose another address under control, or stop the program that has it."
        : "Check the address under control and the permissions of its directory.",
      cause,
    },
  );
}

/** @throws AgentError `auth` when only root may do that */
function giveTo({ uid, gid }: UserId, path: string, files: Files): void {
  try {
    files.changeOwner(AT_CWD, path, uid, gid);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const message = `Cannot give "${path}" to uid ${uid}: found ${cause.errno}, need root`;
    throw new AgentError("auth", message, {
      cause,
      hint: "Run the agent as root or as that user, or leave `wal_socket` out.",
    });
  }
}

/** Makes the way free for a new socket: its directory exists, nothing stale stands there. */
async function clearSocket(path: string, files: Files): Promise<void> {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new AgentError(
      "usage",
      `Cannot listen at "unix:${path}": ${bytes} bytes, need at most ${MAX_SOCKET_PATH_BYTES}`,
      { hint: "Choose a shorter path under control." },
    );
  }
  makeDirectories(posix.dirname(path), files);
  const type = typeAt(path, files);
  if (type === null) return;
  if (type !== "socket") {
    throw new AgentError("failed", `Cannot listen at "unix:${path}": found a ${type}, need none`, {
      hint: "Remove it, or choose another path under control.",
    });
  }
  if (await answers(path)) {
    throw new AgentError("busy", `Cannot listen at "unix:${path}": another daemon answers there`, {
      hint: "Stop the other daemon, or choose another path under control.",
    });
  }
  ignoring("ENOENT", () => files.unlink(AT_CWD, path));
}

function makeDirectories(directory: string, files: Files): void {
  if (directory === "/" || typeAt(directory, files) !== null) return;
  makeDirectories(posix.dirname(directory), files);
  ignoring("EEXIST", () => {
    files.makeDirectory(AT_CWD, directory, DIRECTORY_MODE);
    files.changeMode(AT_CWD, directory, DIRECTORY_MODE); // Whatever the umask is.
  });
}

function typeAt(path: string, files: Files): string | null {
  try {
    return files.stat(AT_CWD, path).type;
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return null;
    throw error;
  }
}

function ignoring(errno: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== errno) throw error;
  }
}

/** True unless the connection is refused: a silent owner is an owner. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({
      socketPath,
      path: "/healthz",
      agent: false,
      timeout: PROBE_TIMEOUT_MS,
    });
    probe.on("response", (response) => {
      response.resume();
      resolve(true);
    });
    probe.on("timeout", () => {
      resolve(true);
      probe.destroy();
    });
    probe.on("error", (error: Error & { code?: string }) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
    probe.end();
  });
}
