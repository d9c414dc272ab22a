// The stream contract over an encrypted connection: over the in-memory pair, and over storage
// sockets on volumes in memory.

import type { Conn } from "../../transport/conn.ts";
import { MemoryNetwork } from "../../transport/memory/mod.ts";
import { PIPE_BYTES } from "../../transport/memory/limits.ts";
import { SECRET_BYTES } from "../../transport/flow/limits.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { RECORD_BYTES_MAX } from "../../transport/sealed/limits.ts";
import { SealedConn } from "../../transport/sealed/mod.ts";
import { openMemoryBed as openMemoryStorage } from "../unit/transport/stp/stp_bed.ts";
import type { Bed } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";
import {
  bedOn,
  CONN_FORMAT,
  CONN_IN_FLIGHT_BYTES,
  CONN_TIMING,
  volumeBytes,
} from "./stp_conn_bed.ts";

const runtime = await currentRuntime();

function sealed([listening, connecting]: readonly [Conn, Conn]): readonly [Conn, Conn] {
  const parts = {
    secret: runtime.random.bytes(SECRET_BYTES),
    aead: runtime.aead(),
    clock: runtime.clock,
  };
  return [
    new SealedConn(listening, { ...parts, side: "listening" }),
    new SealedConn(connecting, { ...parts, side: "connecting" }),
  ];
}

function openMemoryBed(): Promise<Bed> {
  const network = new MemoryNetwork();
  const pair = async (): Promise<readonly [Conn, Conn]> => {
    await using listener = await network.listen({ address: "here", port: 0 });
    const { port } = listener.addr;
    const conn = await network.connect({ address: "here", port, timeoutMs: 5000 });
    return sealed([await listener.accept(), conn]);
  };
  return Promise.resolve({ pair, listening: null, close: () => Promise.resolve() });
}

describeConnConformance("an encrypted connection over the in-memory pair", openMemoryBed, {
  inFlightBytes: PIPE_BYTES + RECORD_BYTES_MAX,
});

async function openStorageBed(): Promise<Bed> {
  const { clock, random } = runtime;
  const sizes = { volumeCount: 1, volumeBytes: volumeBytes(1), format: CONN_FORMAT };
  const bed = await openMemoryStorage({ clock, random, ...sizes, timing: CONN_TIMING });
  const plain = bedOn(bed, () => Promise.resolve());
  return { ...plain, pair: async () => sealed(await plain.pair()), listening: null };
}

describeConnConformance("an encrypted connection over STP in memory", openStorageBed, {
  inFlightBytes: CONN_IN_FLIGHT_BYTES + RECORD_BYTES_MAX,
});
