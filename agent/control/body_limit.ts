// Bounds request bodies. The framework's own limiter rebuilds the request from the adapter's
// request object, which Deno refuses ("Argument 1 is not of type Request"), so this one rebuilds
// it from its parts.

import type { MiddlewareHandler } from "hono";
import { withDeadline } from "../../transport/ground/deadline.ts";
import type { Clock } from "../../transport/runtime/runtime.ts";
import { BODY_WAIT_MS, MAX_REQUEST_BYTES } from "./limits.ts";

/** Reads the body up to its limit of bytes and time; a larger one is `onTooLarge`, not read on. */
export function limitBody(
  clock: Pick<Clock, "sleep">,
  onTooLarge: () => Error,
): MiddlewareHandler {
  return async (context, next) => {
    const { raw } = context.req;
    if (raw.method === "GET" || raw.method === "HEAD" || raw.body === null) return next();
    const maxBytes = MAX_REQUEST_BYTES;
    const declared = Number(raw.headers.get("content-length") ?? "0");
    if (declared > maxBytes) throw onTooLarge();
    const body = await withDeadline(
      clock,
      { timeoutMs: BODY_WAIT_MS, action: "read the request" },
      () => readAtMost(raw.body ?? new ReadableStream(), maxBytes),
    );
    if (body === null) throw onTooLarge();
    const headers = new Headers([...raw.headers]);
    headers.delete("transfer-encoding");
    context.req.raw = new Request(raw.url, {
      method: raw.method,
      headers,
      ...(body.length > 0 ? { body } : {}),
    });
    return next();
  };
}

async function readAtMost(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > maxBytes) {
      await reader.cancel();
      return null;
    }
    chunks.push(part.value);
  }
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
