// One TCP stream over the LAN, as fast as it goes: what the LUN's stream is compared with.
//
//   link_stream.ts receive ADDRESS PORT           prints "listening", then the bytes per second
//   link_stream.ts send ADDRESS PORT SECONDS

import { connect, createServer, type Socket } from "node:net";

const CHUNK_BYTES = 256 * 1024;

function receive(address: string, port: number): void {
  const server = createServer((socket) => {
    let bytes = 0;
    let startMs = 0;
    socket.on("data", (part) => {
      // From the first byte on: connecting is not streaming.
      if (bytes === 0) startMs = performance.now();
      bytes += part.length;
    });
    socket.on("end", () => {
      const seconds = (performance.now() - startMs) / 1000;
      process.stdout.write(`${Math.round(bytes / seconds)}\n`, () => process.exit(0));
    });
  });
  server.listen(port, address, () => process.stdout.write("listening\n"));
}

function written(socket: Socket, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(chunk, (error) => error ? reject(error) : resolve());
  });
}

async function send(address: string, port: number, seconds: number): Promise<void> {
  const socket = connect(port, address);
  const chunk = new Uint8Array(CHUNK_BYTES);
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) await written(socket, chunk);
  socket.end();
}

const [verb, address = "", port = "", seconds = ""] = process.argv.slice(2);
if (verb === "receive") receive(address, Number(port));
else await send(address, Number(port), Number(seconds));
