// Client of a control endpoint, over its Unix socket or over TCP with a token.
//
// One request per connection, so that nothing keeps the program alive afterwards. What comes back
// is checked by a schema; an error answer becomes the AgentError that the daemon meant.

import { type ClientRequest, type IncomingMessage, request, type RequestOptions } from "node:http";
import type { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import type { ControlAddress } from "../config/mod.ts";
import type { JobEvent } from "./daemon.ts";
import { CLIENT_IDLE_MS, MAX_RESPONSE_BYTES } from "./limits.ts";
import { errorOfProblem } from "./problem.ts";
import { SseDecoder } from "./sse_decoder.ts";
import { eventBodySchema } from "./view_schema.ts";

export interface ControlClientOptions {
  readonly address: ControlAddress;
  readonly token: string | null;
  readonly idleMs?: number;
}

interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  /** Bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export class ControlClient {
  readonly #options: ControlClientOptions;

  constructor(options: ControlClientOptions) {
    this.#options = options;
  }

  /** @throws AgentError `unreachable`, or what the daemon answered */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#exchange({ method: "GET", path }, schema);
  }

  /** @throws as `get` */
  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    return this.#exchange({ method: "POST", path, body }, schema);
  }

  /** Hands over bytes. @throws as `get` */
  put<T>(path: string, body: Uint8Array, schema: z.ZodType<T>): Promise<T> {
    return this.#exchange({ method: "PUT", path, body }, schema);
  }

  /** The bytes of an answer. @throws as `get` */
  async getBytes(path: string): Promise<Uint8Array> {
    const response = await this.#send({ method: "GET", path });
    if (response.statusCode !== 200) throw await this.#failure(response);
    const announced = Number(response.headers["content-length"] ?? NaN);
    const bytes = await this.#readAll(response);
    if (bytes.length === announced) return bytes;
    const found = `${bytes.length} of ${announced} bytes`;
    throw new AgentError("failed", `Cannot read the answer: found ${found}, need all`);
  }

  /** @throws as `get` */
  delete<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#exchange({ method: "DELETE", path }, schema);
  }

  /**
   * A job's events after `since`; ends with the stream, which may be before the summary.
   * @throws AgentError `unreachable` when the daemon goes away, `not_found` for an unknown job
   */
  async *events(
    job: string,
    options: { readonly since: number; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<JobEvent, void, undefined> {
    const path = `/v1/jobs/${encodeURIComponent(job)}/events?since=${options.since}`;
    const response = await this.#send({ method: "GET", path, signal: options.signal });
    if (response.statusCode !== 200) throw await this.#failure(response);
    const decoder = new SseDecoder();
    const text = new TextDecoder();
    try {
      for await (const chunk of response) {
        for (const event of decoder.push(text.decode(asBytes(chunk), { stream: true }))) {
          yield { id: Number(event.id), body: parseChecked(event.data, eventBodySchema) };
        }
      }
    } catch (error) {
      if (error instanceof AgentError) throw error;
      throw this.#unreachable(error);
    } finally {
      response.destroy();
    }
  }

  async #exchange<T>(call: Call, schema: z.ZodType<T>): Promise<T> {
    const response = await this.#send(call);
    if ((response.statusCode ?? 500) >= 300) throw await this.#failure(response);
    return parseChecked(textOf(await this.#readAll(response)), schema);
  }

  async #failure(response: IncomingMessage): Promise<AgentError> {
    const text = textOf(await this.#readAll(response));
    let body: unknown = null;
    try {
      body = JSON.parse(text);
    } catch {
      // No JSON: errorOfProblem says so with the status.
    }
    return errorOfProblem(response.statusCode ?? 500, body);
  }

  #send(call: Call): Promise<IncomingMessage> {
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
      outgoing.on("error", (error) => reject(this.#unreachable(error)));
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
      throw error instanceof AgentError ? error : this.#unreachable(error);
    }
    return joined(parts, length);
  }

  #unreachable(cause: unknown): AgentError {
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

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function asBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  return new TextEncoder().encode(String(chunk));
}

function parseChecked<T>(text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AgentError(
    "mismatch",
    `Cannot use the daemon's answer: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`,
    { hint: "Use the same version of the program for the command and the daemon." },
  );
}
