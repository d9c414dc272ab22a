// What a command says to a control endpoint and what that answers, over its Unix socket or over TCP
// with a token: bytes and errors. Commands that start often use this alone (run_log_command.ts in
// cli), so it loads no schemas.
//
// One request per connection, so that nothing keeps the program alive afterwards. An error answer
// becomes the AgentError that the daemon meant.

import { type ClientRequest, type IncomingMessage, request, type RequestOptions } from "node:http";
import { AgentError } from "../../transport/ground/error.ts";
import type { ControlAddress } from "../config/mod.ts";
import { CLIENT_IDLE_MS, MAX_RESPONSE_BYTES } from "./limits.ts";
import { errorOfProblem } from "./problem.ts";

export interface ControlConnectionOptions {
  readonly address: ControlAddress;
  readonly token: string | null;
  readonly idleMs?: number;
}

export interface ControlCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** Bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export class ControlConnection {
  readonly #options: ControlConnectionOptions;

  constructor(options: ControlConnectionOptions) {
    this.#options = options;
  }

  /** The body of the answer. @throws AgentError `unreachable`, or what the daemon answered */
  async ask(call: ControlCall): Promise<Uint8Array> {
    const response = await this.open(call);
    const bytes = await this.#readAll(response);
    const announced = response.headers["content-length"];
    if (announced === undefined || bytes.length === Number(announced)) return bytes;
    const found = `${bytes.length} of ${announced} bytes`;
    throw new AgentError("failed", `Cannot read the answer: found ${found}, need all`);
  }

  /** An answer whose body the caller reads, and destroys. @throws as `ask` */
  async open(call: ControlCall): Promise<IncomingMessage> {
    const response = await this.#send(call);
    if ((response.statusCode ?? 500) < 300) return response;
    const text = textOf(await this.#readAll(response));
    let body: unknown = null;
    try {
      body = JSON.parse(text);
    } catch {
      // No JSON: errorOfProblem says so with the status.
    }
    throw errorOfProblem(response.statusCode ?? 500, body);
  }

  #send(call: ControlCall): Promise<IncomingMessage> {
    const { address, token } = this.#options;
    const body = call.body === undefined ? null : encodeBody(call.body);
    const options: RequestOptions = {
      method: call.method,
      path: call.path,
      agent: false,
      timeout: this.#options.idleMs ?? CLIENT_IDLE_MS,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === null ? {} : {
          "content-type": body.type,
          "content-length": String(body.bytes.length),
        }),
      },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      ...(address.kind === "unix"
        ? { socketPath: address.path }
        : { host: address.host, port: address.port }),
    };
    return new Promise((resolve, reject) => {
      const outgoing: ClientRequest = request(options, resolve);
      outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
      outgoing.on("error", (error) => reject(this.unreachable(error)));
      outgoing.end(body?.bytes);
    });
  }

  async #readAll(response: IncomingMessage): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of response) {
        const bytes = asBytes(chunk);
        length += bytes.length;
        if (length > MAX_RESPONSE_BYTES) {
          response.destroy();
          throw new AgentError(
            "failed",
            `Cannot read the answer: found more than ${MAX_RESPONSE_BYTES} bytes, need fewer`,
          );
        }
        parts.push(bytes);
      }
    } catch (error) {
      throw error instanceof AgentError ? error : this.unreachable(error);
    }
    return joined(parts, length);
  }

  /** The error of a connection that failed. */
  unreachable(cause: unknown): AgentError {
    const { address } = this.#options;
    const name = address.kind === "unix"
      ? `unix:${address.path}`
      : `http://${address.host}:${address.port}`;
    const found = foundInstead(cause);
    const denied = typeof cause === "object" && cause !== null && "code" in cause &&
      (cause.code === "EACCES" || cause.code === "EPERM");
    return new AgentError("unreachable", `Cannot reach the daemon at "${name}": ${found}`, {
      hint: denied
        ? "Run the command as the user of the daemon."
        : "Start it with: agent --role server (or client), or name its endpoint with --control.",
      cause,
    });
  }
}

const SAID: ReadonlyMap<unknown, string> = new Map([
  ["ENOENT", "found no socket there"],
  ["ECONNREFUSED", "found nobody listening"],
  ["EACCES", "found no right to connect"],
  ["EPERM", "found no right to connect"],
]);

/** Of a system error only what a user can act on: the runtimes repeat the address in theirs. */
function foundInstead(cause: unknown): string {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : null;
  const said = SAID.get(code);
  if (said !== undefined) return `${said}, need a running daemon`;
  return cause instanceof Error ? cause.message : String(cause);
}

function encodeBody(body: unknown): { readonly type: string; readonly bytes: Uint8Array } {
  if (body instanceof Uint8Array) return { type: "application/octet-stream", bytes: body };
  return { type: "application/json", bytes: new TextEncoder().encode(JSON.stringify(body)) };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function asBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  return new TextEncoder().encode(String(chunk));
}
