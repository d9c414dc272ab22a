// A network whose hosts vanish from each other: nothing arrives any more, and nothing says so.

import type { Conn, WaitOptions } from "../../transport/conn.ts";
import { orCancelled } from "../../transport/ground/cancellation.ts";
import type { Network } from "../../transport/runtime/runtime.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";

export class SilentNetwork implements Network, Disposable {
  isSilent = false;
  readonly #ending: (() => void)[] = [];

  listen(options: Parameters<Network["listen"]>[0]) {
    return runtime.network.listen(options);
  }

  async connect(options: Parameters<Network["connect"]>[0]): Promise<Conn> {
    const conn = await runtime.network.connect(options);
    const { read, write, close, abort } = conn;
    this.#ending.push(() => abort.call(conn, "the test is over"));
    conn.read = async (into: Uint8Array, options?: WaitOptions) => {
      const count = await read.call(conn, into, options);
      return this.isSilent ? await orCancelled(new Promise(() => {}), options?.signal) : count;
    };
    conn.write = async (from: Uint8Array, options?: WaitOptions) =>
      this.isSilent ? from.length : await write.call(conn, from, options);
    conn.close = async () => {
      if (!this.isSilent) await close.call(conn);
    };
    conn.abort = (reason) => {
      if (!this.isSilent) abort.call(conn, reason);
    };
    return conn;
  }

  /** Ends what was left open in silence. */
  [Symbol.dispose](): void {
    for (const end of this.#ending) end();
  }
}
