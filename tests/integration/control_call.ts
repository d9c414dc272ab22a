// Calls a daemon's control endpoint on its Unix socket, without the program's own client: what a
// script with curl would see.

import { request } from "node:http";

export interface Answer {
  /** HTTP status; 0 when nobody answered. */
  readonly status: number;
  readonly body: string;
  /** Its media type with parameters; empty when the answer has none. */
  readonly mediaType: string;
  /** Milliseconds from the call to the last byte. */
  readonly milliseconds: number;
}

/** One call; never rejects. */
export function callControl(
  socketPath: string,
  path: string,
  options: { readonly method?: string; readonly body?: unknown } = {},
): Promise<Answer> {
  const { method = "GET", body } = options;
  const startedMs = performance.now();
  const nobody = { status: 0, body: "", mediaType: "", milliseconds: 0 };
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve) => {
    const call = request({ socketPath, path, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => text += part);
      response.on("error", () => resolve(nobody));
      response.on("end", () => {
        const milliseconds = performance.now() - startedMs;
        const mediaType = response.headers["content-type"] ?? "";
        resolve({ status: response.statusCode ?? 0, body: text, mediaType, milliseconds });
      });
    });
    call.on("error", () => resolve(nobody));
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
