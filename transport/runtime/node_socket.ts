// A node:net socket as the TcpSocket of tcp_conn.ts: events become promises, with a bound on what
// waits in between.

import type { Socket } from "node:net";
import { AgentError } from "../ground/error.ts";
import { TCP_BUFFER_BYTES } from "./limits.ts";
import type { TcpSocket } from "./tcp_conn.ts";

/** Where a socket's own ways do not do. */
export interface NodeSocketOptions {
  /** Ends the connection so that its peer sees an error. */
  readonly reset?: () => void;
  /** Stops and starts what comes in. */
  readonly flow?: Pick<Socket, "isPaused"> & { pause(): void; resume(): void };
}

/** Takes over `socket`, which must be connected and have no other listeners for data. */
export function nodeSocket(socket: Socket, options: NodeSocketOptions = {}): TcpSocket {
  const incoming = new Incoming(socket, options.flow ?? socket);
  return {
    local: { address: socket.localAddress ?? "", port: socket.localPort ?? 0 },
    remote: { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    read: (into) => incoming.read(into),
    write: (from) =>
      incoming.whileOpen<number>((resolve) => {
        socket.write(from, (error) => {
          if (!error) resolve(from.length);
        });
      }),
    closeWrite: () =>
      incoming.whileOpen<void>((resolve) => {
        socket.end(() => resolve());
      }),
    close: () => {
      incoming.fail(new AgentError("closed", "Cannot use the socket: it was closed"));
      socket.destroy();
    },
    reset: () => {
      incoming.fail(new AgentError("reset", "Cannot use the socket: it was aborted"));
      if (options.reset === undefined) socket.resetAndDestroy();
      else options.reset();
    },
  };
}

/** The received chunks that nobody read yet, and who waits for more. */
class Incoming {
  readonly #flow: NonNullable<NodeSocketOptions["flow"]>;
  readonly #chunks: Uint8Array[] = [];
  #headAt = 0;
  #bytes = 0;
  #ended = false;
  #failure: unknown;
  #wakeReader: (() => void) | undefined;
  readonly #rejectors = new Set<(thrown: unknown) => void>();

  constructor(socket: Socket, flow: NonNullable<NodeSocketOptions["flow"]>) {
    this.#flow = flow;
    socket.on("data", (chunk: Uint8Array) => this.#push(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#wakeReader?.();
    });
    socket.on("error", (thrown) => this.fail(thrown));
    // Writes must not wait for ever; what has come can still be read, and then the end.
    socket.on("close", () => {
      this.fail(new AgentError("reset", "Cannot use the socket: it was closed by the peer"));
    });
  }

  /** Makes every wait reject, and those to come. */
  fail(thrown: unknown): void {
    this.#failure ??= thrown;
    for (const reject of this.#rejectors) reject(this.#failure);
    this.#rejectors.clear();
    this.#wakeReader?.();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#bytes === 0) {
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.#wakeReader = undefined;
    }
    return this.#take(into);
  }

  /** A promise that rejects when the socket fails first. */
  whileOpen<T>(start: (resolve: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#rejectors.add(reject);
      start((value) => {
        this.#rejectors.delete(reject);
        resolve(value);
      });
    });
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= TCP_BUFFER_BYTES) this.#flow.pause();
    this.#wakeReader?.();
  }

  #take(into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const head = this.#chunks[0];
      if (head === undefined) break;
      const count = Math.min(head.length - this.#headAt, into.length - done);
      into.set(head.subarray(this.#headAt, this.#headAt + count), done);
      done += count;
      this.#headAt += count;
      if (this.#headAt === head.length) {
        this.#chunks.shift();
        this.#headAt = 0;
      }
    }
    this.#bytes -= done;
    if (this.#bytes < TCP_BUFFER_BYTES / 2 && this.#flow.isPaused()) this.#flow.resume();
    return done;
  }
}
