// A network that a test cuts: the connections that were made over it break, and it carries no new
// one until it is mended.

import type { Conn, WaitOptions } from "../../transport/conn.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { Network } from "../../transport/runtime/runtime.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";

export class CutNetwork implements Network {
  readonly #conns: Conn[] = [];
  readonly #cuts: number[];
  #isCut = false;
  #bytes = 0;
  /** Cuts so far. */
  cuts = 0;

  /** @param cuts counts of bytes, of all connections together, at which it is cut for a moment */
  constructor(cuts: readonly number[] = []) {
    this.#cuts = [...cuts];
  }

  cut(): void {
    this.#isCut = true;
    this.cuts += 1;
    for (const conn of this.#conns.splice(0)) conn.abort("the LAN was cut");
  }

  mend(): void {
    this.#isCut = false;
  }

  listen(options: Parameters<Network["listen"]>[0]) {
    return runtime.network.listen(options);
  }

  async connect(options: Parameters<Network["connect"]>[0]): Promise<Conn> {
    if (this.#isCut) throw new AgentError("unreachable", "Cannot connect: the LAN is cut");
    const conn = await runtime.network.connect(options);
    this.#conns.push(conn);
    const { read, write } = conn;
    conn.read = async (into: Uint8Array, options?: WaitOptions) => {
      const count = await read.call(conn, into, options);
      this.#count(count ?? 0);
      return count;
    };
    conn.write = async (from: Uint8Array, options?: WaitOptions) => {
      const count = await write.call(conn, from, options);
      this.#count(count);
      return count;
    };
    return conn;
  }

  /** A cut at a byte is mended at once: the next try gets through, or meets the next cut. */
  #count(bytes: number): void {
    this.#bytes += bytes;
    const next = this.#cuts[0];
    if (next === undefined || this.#bytes < next) return;
    this.#cuts.shift();
    this.cut();
    this.mend();
  }
}
