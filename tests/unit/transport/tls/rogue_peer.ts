// Peers that a well-behaved agent never is: raw sockets of node:net and node:tls, with whatever
// certificate a test gives them.

import { connect as connectPlain, createServer as createPlain, type Socket } from "node:net";
import { connect, type ConnectionOptions, createServer, type TlsOptions } from "node:tls";

const HOST = "127.0.0.1";

export interface RogueServer extends AsyncDisposable {
  readonly port: number;
}

/** A TLS server that talks to everybody. */
export function rogueTlsServer(options: TlsOptions): Promise<RogueServer> {
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: false });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    socket.write(Uint8Array.of(1)); // It accepts anybody.
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return listening(server);
}

/** A server that answers the first bytes by `answer`, or by the end of the connection. */
export function roguePlainServer(answer: string | null): Promise<RogueServer> {
  const server = createPlain((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      if (answer === null) socket.destroy();
      else socket.end(answer);
    });
  });
  return listening(server);
}

function listening(server: ReturnType<typeof createPlain>): Promise<RogueServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : 0;
      resolve({
        port,
        [Symbol.asyncDispose]: () => {
          for (const socket of sockets) socket.destroy();
          return new Promise((closed) => server.close(() => closed()));
        },
      });
    });
  });
}

/** What a rogue client read until its connection ended. */
export function rogueTlsClient(port: number, options: ConnectionOptions): Promise<Uint8Array> {
  const socket = connect({
    host: HOST,
    port,
    rejectUnauthorized: false,
    servername: "",
    ...options,
  });
  return readToEnd(socket);
}

/** The same without TLS; it sends `bytes` first. */
export function roguePlainClient(port: number, bytes: Uint8Array): Promise<Uint8Array> {
  const socket = connectPlain({ host: HOST, port });
  socket.write(bytes);
  return readToEnd(socket);
}

function readToEnd(socket: Socket): Promise<Uint8Array> {
  const received: number[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk: Uint8Array) => received.push(...chunk));
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(Uint8Array.from(received)));
  });
}
