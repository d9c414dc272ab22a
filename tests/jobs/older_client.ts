// A client of an earlier version, as the server meets it.

import type { WaitOptions } from "../../transport/conn.ts";
import { VERSION_MAX } from "../../transport/flow/flow_version.ts";
import type { Network } from "../../transport/runtime/runtime.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";

/** The network to a client that speaks no version after this one. */
export function networkTo(version: number): Network {
  const { network } = runtime;
  return {
    listen: (options) => network.listen(options),
    async connect(options) {
      const conn = await network.connect(options);
      const read = conn.read.bind(conn);
      conn.read = async (into: Uint8Array, options?: WaitOptions) => {
        const count = await read(into, options);
        const bytes = Buffer.from(into.buffer, into.byteOffset, count ?? 0);
        const at = bytes.indexOf(`"versionMax":${VERSION_MAX}`);
        if (at >= 0) bytes.write(`"versionMax":${version}`, at);
        return count;
      };
      return conn;
    },
  };
}
