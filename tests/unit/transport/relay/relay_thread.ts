// A thread that is given a relayed connection, echoes it to its end and closes it.

import { writeAll } from "../../../../transport/ground/mod.ts";
import { type RelayAddresses, RelayConn } from "../../../../transport/relay/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const parent = (await currentRuntime()).parentThread();
parent.onMessage(async (message) => {
  const { port, addresses } = message as { port: MessagePort; addresses: RelayAddresses };
  const conn = new RelayConn(port, addresses);
  const buffer = new Uint8Array(100_000);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) break;
    await writeAll(conn, buffer.subarray(0, count));
  }
  await conn.close();
  parent.post(conn.counters);
});
