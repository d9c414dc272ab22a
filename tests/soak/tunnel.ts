// A port of this machine that leads to the same one of a host, as `ssh -L` would make it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A shell that carries its input to the port and back, until it is killed. */
const CARRY = 'exec 3<>"/dev/tcp/127.0.0.1/$0" && { cat <&3 & cat >&3; wait; }';

/** Closing it ends what it carries. */
export class Tunnel implements Disposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, enter: readonly string[]) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (socket) => this.#carry(socket, enter));
  }

  /** @param enter words before a command that let it run in the host's network */
  static async open(enter: readonly string[]): Promise<Tunnel> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Tunnel(server, enter);
  }

  #carry(socket: Socket, [program = "", ...args]: readonly string[]): void {
    const child = spawn(program, [...args, "bash", "-c", CARRY, String(this.port)], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#sockets.add(socket);
    socket.on("error", () => {}); // "close" follows.
    child.stdin.on("error", () => socket.destroy());
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      child.kill();
    });
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
