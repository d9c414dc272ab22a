// Bounds request bodies. The framework's own limiter rebuilds the request from the adapter's
// request object, which Deno refuses ("Argument 1 is not of type Request"), so this one rebuilds
// it from its parts.

import type { MiddlewareHandler } from "hono";

/**
 * Reads the body up to what `maxBytesOf` gives for the path; above it `onTooLarge` answers and the
 * rest is not read.
 */
export function limitBody(
  maxBytesOf: (path: string) => number,
  onTooLarge: (maxBytes: number) => Error,
): MiddlewareHandler {
  return async (context, next) => {
    const { raw } = context.req;
    const maxBytes = maxBytesOf(context.req.path);
    if (raw.method === "GET" || raw.method === "HEAD" || raw.body === null) return next();
    const declared = Number(raw.headers.get("content-length") ?? "0");
    if (declared > maxBytes) throw onTooLarge(maxBytes);
    const body = await readAtMost(raw.body, maxBytes);
    if (body === null) throw onTooLarge(maxBytes);
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
