// One of the two processes of a run: `peer.ts CONTESTANT sink|source FOLDER PORT BYTES`.
//
// Prints {"port":…} when the sink listens, and at the end {"seconds":…,"cpuSeconds":…} for the
// bytes after the warm-up.

import { currentRuntime } from "../../transport/runtime/current_runtime.ts";
import { CHUNK_BYTES, WARM_UP_BYTES } from "./limits.ts";
import { CONTESTANTS, openPeerStream } from "./peer_stream.ts";

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const runtime = await currentRuntime();
const [name, side, folder = "", port = "0", bytes = "0"] = runtime.process.args;
const contestant = CONTESTANTS.find((other) => other === name);
if (contestant === undefined || (side !== "sink" && side !== "source")) {
  throw new Error(`Cannot run ${name} ${side}`);
}
const print = (value: unknown): void => runtime.process.write(1, `${JSON.stringify(value)}\n`);
{
  await using stream = await openPeerStream(contestant, side, {
    runtime,
    folder,
    port: Number(port),
    announce: (found) => print({ port: found }),
  });
  const pattern = Uint8Array.from({ length: CHUNK_BYTES }, (_, at) => (at * 2654435761) >>> 24);
  const chunk = side === "source" ? pattern.slice() : new Uint8Array(CHUNK_BYTES);
  for (let moved = 0; moved < WARM_UP_BYTES; moved += CHUNK_BYTES) await stream.move(chunk);
  const started = performance.now();
  const cpu = cpuSeconds();
  for (let moved = 0; moved < Number(bytes); moved += CHUNK_BYTES) await stream.move(chunk);
  const seconds = (performance.now() - started) / 1000;
  const spent = cpuSeconds() - cpu;
  if (!chunk.every((byte, at) => byte === pattern[at])) throw new Error("other bytes arrived");
  print({ seconds, cpuSeconds: spent });
}
runtime.process.exit(0);
