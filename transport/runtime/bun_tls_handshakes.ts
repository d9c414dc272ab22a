// Handshakes under way at a TLS listener: strangers that the kernel let in and that proved nothing
// yet. Each has a deadline and there is a most of them.

import type { Socket } from "node:net";
import { AgentError } from "../ground/error.ts";
import { TLS_HANDSHAKE_MS, TLS_HANDSHAKES_MAX } from "./limits.ts";
import type { Clock } from "./runtime.ts";
import { tlsError } from "./tls_error.ts";
import { tlsAction } from "./tls_greet.ts";

export class BunTlsHandshakes {
  readonly #clock: Clock;
  readonly #onRefused: (error: AgentError) => void;
  /** By the peer's address and port. */
  readonly #pending = new Map<string, AbortController>();

  constructor(clock: Clock, onRefused: (error: AgentError) => void) {
    this.#clock = clock;
    this.#onRefused = onRefused;
  }

  begin(socket: Socket): void {
    const name = nameOf(socket);
    if (this.#pending.size >= TLS_HANDSHAKES_MAX) {
      socket.destroy();
      const found = `${TLS_HANDSHAKES_MAX} handshakes are under way, need fewer`;
      this.#onRefused(
        new AgentError("busy", `Cannot accept "${name}": ${found}`),
      );
      return;
    }
    const timer = new AbortController();
    this.#forget(name); // One that vanished without a word, whose port is used again.
    this.#pending.set(name, timer);
    void this.#expire(socket, name, timer.signal);
  }

  /** The handshake is done. @returns false when it was given up before */
  end(socket: Socket): boolean {
    const known = this.#forget(nameOf(socket));
    if (!known) socket.destroy();
    return known;
  }

  fail(socket: Socket, thrown: unknown): void {
    const name = nameOf(socket);
    const known = this.#forget(name);
    socket.destroy();
    if (known) this.#onRefused(tlsError(tlsAction("listening", name), thrown));
  }

  #forget(name: string): boolean {
    this.#pending.get(name)?.abort();
    return this.#pending.delete(name);
  }

  async #expire(socket: Socket, name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(TLS_HANDSHAKE_MS, { signal });
    } catch {
      return; // It ended in time.
    }
    this.#pending.delete(name);
    socket.destroy();
    const found = `nothing came within ${TLS_HANDSHAKE_MS} ms`;
    this.#onRefused(new AgentError("timeout", `Cannot accept "${name}": ${found}`));
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
}
