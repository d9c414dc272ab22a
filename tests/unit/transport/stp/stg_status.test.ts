// Status of a group: what is not judged is not called dead, and hosts that do not fit are named.

import { describe, expect, test } from "bun:test";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { writeHostBlock } from "../../../../transport/stp/host_table.ts";
import { HostsObserver } from "../../../../transport/stp/hosts_observer.ts";
import { formatStg, readStgStatus, stpTiming } from "../../../../transport/stp/mod.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";

const TIMING = stpTiming({ heartbeatMs: 250, deadMs: 2500, watchMs: 250 });
const random = { bytes: (count: number) => new Uint8Array(count).fill(7) };

function block(hostId: number, change: Partial<HostBlock> = {}): HostBlock {
  return {
    hostId,
    stgUuid: "",
    attached: true,
    generation: 1,
    claim: `000000000000000${hostId}`,
    heartbeat: 1,
    deadMs: 2500,
    name: `host${hostId}`,
    process: null,
    ...change,
  };
}

describe("HostsObserver", () => {
  test("knows nothing of a host until it beat or its dead time passed", () => {
    const observer = new HostsObserver(TIMING, ["v0"]);
    const live = (nowMs: number) => observer.status(nowMs).map((host) => host.live);
    for (let nowMs = 0; nowMs < 2500; nowMs += 250) {
      const beating = block(2, { heartbeat: nowMs });
      observer.observe([new Map([[1, block(1)], [2, beating]])], nowMs);
      expect(live(nowMs)).toEqual([null, nowMs === 0 ? null : true]);
    }
    observer.observe([new Map([[1, block(1)], [2, block(2, { heartbeat: 9999 })]])], 2500);
    expect(live(2500)).toEqual([false, true]);
  });

  test("names the volumes on which a host beats", () => {
    const observer = new HostsObserver(TIMING, ["v0", "v1"]);
    const tables = (heartbeat: number) => [
      new Map([[1, block(1, { heartbeat })]]),
      new Map([[1, block(1)]]),
    ];
    for (let beat = 0; beat < 4; beat++) observer.observe(tables(beat), beat * 250);
    expect(observer.status(750)[0]?.volumes).toEqual(["v0"]);
    observer.observe([null, null], 1000);
    expect(observer.status(1000)[0]?.heartbeatAgeMs).toBe(250);
  });
});

describe("readStgStatus()", () => {
  test("waits the dead time for a host that does not beat, and warns of different ones", async () => {
    const clock = new StepClock();
    const volumes = [new MemoryMedium(16 * 1024 * 1024).open("v0")];
    const identity = await formatStg({ name: "stg0", volumes, random });
    const stgUuid = identity.uuid;
    const [volume] = volumes;
    if (volume === undefined) throw new Error("a volume");
    await writeHostBlock(identity, volume, block(1, { stgUuid }));
    const startMs = clock.monotonicMs();
    const alone = await clock.until(readStgStatus(identity, volumes, clock, TIMING), 60_000);
    expect(alone.hosts.map(({ live }) => live)).toEqual([false]);
    expect(clock.monotonicMs() - startMs).toBe(2500);
    expect(alone.warnings).toEqual([]);
    const beat = async () => {
      for (let heartbeat = 2; heartbeat < 20; heartbeat++) {
        await writeHostBlock(identity, volume, block(1, { stgUuid, heartbeat }));
        await writeHostBlock(identity, volume, block(2, { stgUuid, heartbeat, deadMs: 9000 }));
        await clock.sleep(250);
      }
    };
    const beating = beat();
    const both = await clock.until(readStgStatus(identity, volumes, clock, TIMING), 60_000);
    await clock.until(beating, 60_000);
    expect(both.hosts.map(({ live }) => live)).toEqual([true, true]);
    expect(both.warnings).toEqual([
      'the hosts have different dead times (host 1 "host1" 2500 ms, host 2 "host2" 9000 ms): ' +
      "configure the same",
    ]);
  });
});
