// An end of a benchmark as a host: which id it takes, and that it does not wait for one for ever.

import { describe, expect, test } from "bun:test";
import { BenchHost } from "../../../../agent/bench/mod.ts";
import {
  AgentError,
  currentRuntime,
  formatStg,
  ProcProcessTable,
  stpTiming,
} from "../../../../transport/mod.ts";
import { writeHostBlock } from "../../../../transport/stp/host_table.ts";
import { MemoryMedium } from "../../transport/stp/memory_volume.ts";

const { clock, random, files, process } = await currentRuntime();
const processes = new ProcProcessTable(files, process.pid);
const DEAD_MS = 60_000;

/** A group whose ids but our own are held by hosts that may live. */
async function heldGroup() {
  const volumes = [new MemoryMedium(16 * 1024 * 1024).open("v0")];
  const identity = await formatStg({ name: "stg0", volumes, random, maxHosts: 4 });
  for (const hostId of [2, 3, 4]) {
    for (const volume of volumes) {
      await writeHostBlock(identity, volume, {
        hostId,
        stgUuid: identity.uuid,
        attached: true,
        generation: 1,
        claim: `000000000000000${hostId}`,
        heartbeat: 1,
        deadMs: DEAD_MS,
        name: `host${hostId}`,
        process: null,
      });
    }
  }
  return volumes;
}

describe("BenchHost.join()", () => {
  test("ends with the signal while it waits for an id that somebody may hold", async () => {
    const volumes = await heldGroup();
    const stop = new AbortController();
    const joining = BenchHost.join({
      name: "stg0",
      volumes,
      timing: stpTiming({ heartbeatMs: 20, deadMs: 100, watchMs: 20 }),
      clock,
      random,
      processes,
      ownHost: 1,
      hostName: "bench",
      endpoints: 1,
      signal: stop.signal,
    });
    stop.abort(new AgentError("cancelled", "Cannot go on: told to stop"));
    const startMs = clock.monotonicMs();
    const code = await joining.then(() => "joined", (error: AgentError) => error.code);
    expect(code).toBe("cancelled");
    expect(clock.monotonicMs() - startMs).toBeLessThan(DEAD_MS / 10);
  });
});
