// The fence of a worker: lets writes through while the host certainly beats, and ends for good
// when the id may belong to another process.

import { beforeEach, describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { writeHostBlock } from "../../../../transport/stp/host_table.ts";
import { formatStg } from "../../../../transport/stp/mod.ts";
import { type StgMedium, stgMedium } from "../../../../transport/stp/stg_medium.ts";
import { WriteFence } from "../../../../transport/stp/write_fence.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { StepClock } from "./step_clock.ts";
import { type HostPath, MemoryMedium } from "./memory_volume.ts";

const DEAD_MS = 1000;
const random = { bytes: (count: number) => new Uint8Array(count).fill(7) };
const CLAIM = { hostId: 2, hostName: "web01", generation: 5, claim: "00000000000000aa" };

class Bed {
  readonly clock = new StepClock();
  readonly path: HostPath = { cut: false };
  reads = 0;
  readonly medium: StgMedium;
  readonly #writers: readonly Volume[];
  block: HostBlock;

  private constructor(media: readonly MemoryMedium[], stg: StgMedium["identity"], slow: boolean) {
    const path = this.path;
    for (const medium of media) medium.onRead = () => this.reads++;
    const volumes = media.map((medium, index) =>
      medium.open(`v${index}`, { asynchronous: slow, ...(index === 0 ? { path } : {}) })
    );
    const timing = { heartbeatMs: 250, deadMs: DEAD_MS, watchMs: 100 };
    this.medium = stgMedium({ identity: stg, volumes, clock: this.clock, random, timing });
    this.#writers = media.map((medium, index) => medium.open(`v${index}`));
    this.block = {
      hostId: CLAIM.hostId,
      stgUuid: stg.uuid,
      attached: true,
      generation: CLAIM.generation,
      claim: CLAIM.claim,
      heartbeat: 1,
      deadMs: DEAD_MS,
      name: CLAIM.hostName,
      process: null,
    };
  }

  static async make(volumeCount = 1, slow = false): Promise<Bed> {
    const media = Array.from({ length: volumeCount }, () => new MemoryMedium(16 * 1024 * 1024));
    const volumes = media.map((medium, index) => medium.open(`v${index}`));
    const bed = new Bed(media, await formatStg({ name: "stg0", volumes, random }), slow);
    bed.beat();
    return bed;
  }

  /** Writes the block with the next heartbeat; on the named volumes only. */
  beat(change: Partial<HostBlock> = {}, on = this.#writers.map((_, index) => index)): void {
    this.block = { ...this.block, heartbeat: this.block.heartbeat + 1, ...change };
    for (const index of on) {
      const volume = this.#writers[index];
      if (volume !== undefined) void writeHostBlock(this.medium.identity, volume, this.block);
    }
  }
}

async function outcome(fence: WriteFence, bed: Bed): Promise<string> {
  try {
    await fence.guard(bed.clock.monotonicMs());
    return "ok";
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

for (const slow of [false, true]) {
  describe(`WriteFence on ${slow ? "asynchronous" : "synchronous"} volumes`, () => {
    let bed: Bed;
    let fence: WriteFence;
    beforeEach(async () => {
      bed = await Bed.make(1, slow);
      fence = new WriteFence(bed.medium, CLAIM);
      expect(await outcome(fence, bed)).toBe("ok");
      bed.reads = 0;
    });

    test("looks at most once in a quarter of the dead time while the host beats", async () => {
      for (let ms = 0; ms < 10 * DEAD_MS; ms += 10) {
        if (ms % 250 === 240) bed.beat();
        bed.clock.jump(10);
        expect(await outcome(fence, bed)).toBe("ok");
      }
      expect(bed.reads).toBeLessThanOrEqual(41);
      expect(bed.reads).toBeGreaterThan(20);
    });

    test("ends when the heartbeat stands still, before others may take the id", async () => {
      let ms = 0;
      while ((await outcome(fence, bed)) === "ok") {
        bed.clock.jump(10);
        ms += 10;
        if (ms > 2 * DEAD_MS) break;
      }
      expect(ms).toBe(DEAD_MS * 3 / 4);
      bed.beat();
      expect(await outcome(fence, bed)).toContain("reset: Cannot write as host 2");
    });

    test("ends at the first write after a stop that was longer than the dead time", async () => {
      bed.clock.jump(2 * DEAD_MS);
      expect(await outcome(fence, bed)).toContain("its heartbeat stood still for 2000 ms");
    });

    test("looks each time after a pause of the worker, until it sees the next beat", async () => {
      bed.beat();
      bed.clock.jump(5 * DEAD_MS);
      for (let i = 0; i < 3; i++) expect(await outcome(fence, bed)).toBe("ok");
      expect(bed.reads).toBe(3);
      bed.clock.jump(100);
      bed.beat();
      for (let i = 0; i < 3; i++) expect(await outcome(fence, bed)).toBe("ok");
      expect(bed.reads).toBe(4);
    });

    test("ends when a process of a later generation holds the id", async () => {
      bed.beat({ claim: "00000000000000bb", generation: 6, name: "thief" });
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toContain(`"thief" holds the id`);
    });

    test("ends when the host gave the id back", async () => {
      bed.beat({ attached: false });
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toContain("the id was given back");
    });

    test("ends when a claim of its own generation stays, for the beat cannot write over it", async () => {
      bed.beat({ claim: "00000000000000bb", name: "rival" });
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toBe("ok");
      bed.clock.jump(DEAD_MS / 2);
      expect(await outcome(fence, bed)).toContain("stood still");
    });

    test("is not ended by a late write of an earlier holder", async () => {
      bed.beat({ claim: "00000000000000bb", generation: 4 });
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toBe("ok");
      bed.beat({ claim: CLAIM.claim, generation: CLAIM.generation });
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toBe("ok");
    });

    test("names the volume that cannot be read", async () => {
      bed.path.cut = true;
      bed.clock.jump(DEAD_MS / 4);
      expect(await outcome(fence, bed)).toContain(`volume: Cannot read volume "v0"`);
    });
  });
}

test("WriteFence takes a beat on any volume for a sign of life", async () => {
  for (const slow of [false, true]) {
    const bed = await Bed.make(2, slow);
    const fence = new WriteFence(bed.medium, CLAIM);
    for (let ms = 0; ms < 4 * DEAD_MS; ms += 50) {
      if (ms % 250 === 0) bed.beat({}, [1]);
      expect(await outcome(fence, bed)).toBe("ok");
      bed.clock.jump(50);
    }
    bed.clock.jump(DEAD_MS);
    expect(await outcome(fence, bed)).toContain("stood still");
  }
});
