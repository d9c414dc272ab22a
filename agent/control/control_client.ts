// Client of a control endpoint: what comes back is checked by a schema.

import type { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import {
  asBytes,
  type ControlCall,
  ControlConnection,
  type ControlConnectionOptions,
  textOf,
} from "./control_connection.ts";
import type { JobEvent } from "./daemon.ts";
import { SseDecoder } from "./sse_decoder.ts";
import { eventBodySchema } from "./view_schema.ts";

export class ControlClient {
  readonly #connection: ControlConnection;

  constructor(options: ControlConnectionOptions) {
    this.#connection = new ControlConnection(options);
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
    const response = await this.#connection.open({ method: "GET", path, signal: options.signal });
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
      throw this.#connection.unreachable(error);
    } finally {
      response.destroy();
    }
  }

  async #exchange<T>(call: ControlCall, schema: z.ZodType<T>): Promise<T> {
    return parseChecked(textOf(await this.#connection.ask(call)), schema);
  }
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
