// One question to a control endpoint on a Unix socket.

import { request } from "node:http";

export interface SocketAnswer {
  /** 0 when nobody answers. */
  readonly status: number;
  readonly body: string;
}

export function askSocket(socketPath: string, path: string): Promise<SocketAnswer> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, method: "GET" }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => body += part);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on("error", () => resolve({ status: 0, body: "" }));
    call.end();
  });
}
