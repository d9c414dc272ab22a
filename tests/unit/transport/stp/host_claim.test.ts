// Claiming a host id that somebody holds, held, or wants at the same moment; on a clock that the
// test moves.

import { beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { ProcessIdentity } from "../../../../transport/runtime/process_table.ts";
import { ControlBlock, controlBlockImage } from "../../../../transport/stp/control_block.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { claimHost } from "../../../../transport/stp/host_claim.ts";
import { readHostBlock, writeHostBlock } from "../../../../transport/stp/host_table.ts";
import { formatStg, StgMember } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset, hostBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { type StgMedium, stgMedium } from "../../../../transport/stp/stg_medium.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { DelayedVolume, type DelayOf } from "./delayed_volume.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";

const TIMING = { heartbeatMs: 250, deadMs: 2500, settleMs: 50, watchMs: 250 };
const HOST = 2;
const MACHINE = "11".repeat(16);
const PROCESS: ProcessIdentity = { machine: MACHINE, pid: 77, startTicks: 5 };

let seed = 0;
const random = { bytes: (count: number) => new Uint8Array(count).fill(++seed & 0xff) };

class Bed {
  readonly clock = new StepClock();
  readonly media: readonly MemoryMedium[];
  readonly medium: StgMedium;

  private constructor(media: readonly MemoryMedium[], identity: StgMedium["identity"]) {
    this.media = media;
    this.medium = this.open(identity);
  }

  static async make(volumeCount = 1): Promise<Bed> {
    const media = Array.from({ length: volumeCount }, () => new MemoryMedium(16 * 1024 * 1024));
    const volumes = media.map((medium, index) => medium.open(`v${index}`));
    return new Bed(media, await formatStg({ name: "stg0", volumes, random }));
  }

  open(identity = this.medium.identity, delayOf?: DelayOf): StgMedium {
    const { clock } = this;
    const volumes: readonly Volume[] = this.media.map((medium, index) => {
      const volume = medium.open(`v${index}`);
      return delayOf === undefined ? volume : new DelayedVolume(volume, clock, delayOf);
    });
    return stgMedium({ identity, volumes, clock, random, timing: TIMING });
  }

  /** What an earlier process left, on the volumes `on`. */
  async leave(change: Partial<HostBlock> = {}, on = this.media.keys()): Promise<void> {
    const block = {
      hostId: HOST,
      stgUuid: this.medium.identity.uuid,
      attached: true,
      generation: 4,
      claim: "00000000000000aa",
      heartbeat: 7,
      deadMs: 6000,
      name: "old",
      process: null,
      ...change,
    };
    for (const index of on) {
      const volume = this.medium.volumes[index];
      if (volume !== undefined) await writeHostBlock(this.medium.identity, volume, block);
    }
  }

  /** How long the claim takes, in ms, or its error. */
  async claim(isGone?: (process: ProcessIdentity) => boolean): Promise<number | AgentError> {
    const startMs = this.clock.monotonicMs();
    const self = { ...PROCESS, pid: 99 };
    const processes = isGone === undefined ? undefined : { self, isGone };
    const claiming = claimHost(this.medium, { hostId: HOST, hostName: "new", processes });
    try {
      await this.clock.until(claiming, 60_000);
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
    return this.clock.monotonicMs() - startMs;
  }

  /** Turns a bit of the host block, on one volume. */
  damage(atByte: number, index = 0): void {
    const at = hostBlockOffset(this.medium.identity.layout, HOST) + atByte;
    const bytes = this.media[index]?.bytes;
    if (bytes !== undefined) bytes[at] = (bytes[at] ?? 0) ^ 4;
  }

  async found(): Promise<HostBlock | null> {
    return await readHostBlock(this.medium.identity, this.medium.controlVolume, HOST);
  }
}

describe("claimHost()", () => {
  let bed: Bed;
  beforeEach(async () => {
    bed = await Bed.make();
  });

  test("takes the settle time for an id that is free or was given back", async () => {
    expect(await bed.claim()).toBe(TIMING.settleMs);
    await bed.leave({ attached: false, generation: 9 });
    expect(await bed.claim()).toBe(TIMING.settleMs);
    expect(await bed.found()).toMatchObject({ generation: 10, name: "new", attached: true });
  });

  test("waits out the dead time that the holder published", async () => {
    await bed.leave();
    expect(await bed.claim()).toBe(6000 + TIMING.settleMs);
    expect(await bed.found()).toMatchObject({ generation: 5, name: "new" });
  });

  test("takes the id of a process of this machine that is gone at once", async () => {
    await bed.leave({ process: PROCESS });
    expect(await bed.claim((process) => process.pid === PROCESS.pid)).toBe(TIMING.settleMs);
    expect((await bed.found())?.process).toEqual({ ...PROCESS, pid: 99 });
  });

  test("waits for a process that is there, and for one that it does not know", async () => {
    await bed.leave({ process: PROCESS });
    expect(await bed.claim(() => false)).toBe(6000 + TIMING.settleMs);
    await bed.leave({ process: null, generation: 9 });
    expect(await bed.claim(() => true)).toBe(6000 + TIMING.settleMs);
  });

  test("is refused, with the holder's name, when the holder beats once in its dead time", async () => {
    await bed.leave();
    const claiming = bed.claim();
    await bed.clock.pass(5900);
    await bed.leave({ heartbeat: 8 });
    const refused = await claiming;
    expect(refused).toMatchObject({ code: "busy" });
    expect(String(refused)).toContain(`"old" holds it`);
    expect((await bed.found())?.claim).toBe("00000000000000aa");
  });

  test("does not wait for an earlier generation that one volume still shows", async () => {
    bed = await Bed.make(2);
    await bed.leave({ attached: true }, [0].values());
    await bed.leave({ attached: false, generation: 5, claim: "00000000000000bb" }, [1].values());
    expect(await bed.claim()).toBe(TIMING.settleMs);
    expect((await bed.found())?.generation).toBe(6);
  });

  test("does not wait when one volume shows that the holder left", async () => {
    bed = await Bed.make(2);
    await bed.leave({ attached: true }, [0].values());
    await bed.leave({ attached: false }, [1].values());
    expect(await bed.claim()).toBe(TIMING.settleMs);
  });

  for (const [field, atByte] of [["magic", 0], ["version", 8], ["generation", 36]] as const) {
    test(`waits its own dead time for a block whose ${field} is damaged`, async () => {
      await bed.leave();
      bed.damage(atByte);
      expect(await bed.claim()).toBeGreaterThanOrEqual(TIMING.deadMs + TIMING.settleMs);
      expect((await bed.found())?.name).toBe("new");
    });
  }

  test("waits its own dead time for a block that is damaged on one of two volumes", async () => {
    bed = await Bed.make(2);
    await bed.leave({ attached: false });
    bed.damage(36, 1);
    expect(await bed.claim()).toBeGreaterThanOrEqual(TIMING.deadMs + TIMING.settleMs);
  });

  test("waits its own dead time for a block that is gone when the id was used", async () => {
    const control = new ControlBlock();
    control.self = { host: HOST, endpoint: 1, boot: 4, generation: 2 };
    const at = controlBlockOffset(bed.medium.identity.layout, HOST, 1);
    bed.media[0]?.bytes.set(controlBlockImage(control), at);
    const waitMs = TIMING.deadMs + TIMING.settleMs;
    expect(await bed.claim()).toBeGreaterThanOrEqual(waitMs);
    expect((await bed.found())?.generation).toBe(5);
  });

  test("is refused by a live holder whose block was damaged until its next beat", async () => {
    await bed.leave();
    bed.damage(48);
    const claiming = bed.claim();
    for (const heartbeat of [8, 9]) {
      await bed.clock.pass(TIMING.deadMs - 2 * TIMING.heartbeatMs);
      await bed.leave({ heartbeat });
    }
    expect(String(await claiming)).toContain(`"old" holds it`);
    expect((await bed.found())?.claim).toBe("00000000000000aa");
  });

  test("does not wait when the damaged block turns out to be given back", async () => {
    await bed.leave({ attached: false });
    bed.damage(48);
    const claiming = bed.claim();
    await bed.clock.pass(TIMING.heartbeatMs);
    bed.damage(48);
    expect(await claiming).toBeLessThan(TIMING.deadMs);
  });

  test("waits for its end of the wait: a signal", async () => {
    await bed.leave();
    const stop = new AbortController();
    const options = { hostId: HOST, hostName: "new", signal: stop.signal };
    const claiming = claimHost(bed.medium, options).catch((error: unknown) => error);
    await bed.clock.pass(1000);
    stop.abort();
    expect(await claiming).toMatchObject({ code: "cancelled" });
  });

  test("gives way when its write was slow and landed over a claim that had settled", async () => {
    const slow = bed.open(undefined, (kind) => kind === "write" ? 4 * TIMING.settleMs : 0);
    const losing = claimHost(slow, { hostId: HOST, hostName: "slow" }).catch((error) => error);
    await bed.clock.pass(1); // It looked, and its write is under way.
    const winning = StgMember.join({ ...bed.medium, hostId: HOST, hostName: "quick" });
    const winner = await bed.clock.until(winning, 60_000);
    let lost = 0;
    winner.onLost(() => lost++);
    expect(String(await bed.clock.until(losing, 60_000))).toContain(`"quick" holds it`);
    await bed.clock.pass(10 * TIMING.heartbeatMs);
    expect(lost).toBe(0);
    await bed.clock.until(winner.close(), 60_000);
  });

  test("lets at most one of several claimers have the id, however they interleave", async () => {
    const delay = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * TIMING.settleMs }));
    const claimer = fc.record({
      startMs: fc.integer({ min: 0, max: 400 }),
      delays: fc.array(delay, { minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 }),
        fc.array(claimer, { minLength: 2, maxLength: 3 }),
        async (volumeCount, claimers) => {
          const bed = await Bed.make(volumeCount);
          const joining = claimers.map(async ({ startMs, delays }, index) => {
            await bed.clock.sleep(startMs);
            let step = 0;
            const medium = bed.open(undefined, () => delays[step++ % delays.length] ?? 0);
            const claimed = StgMember.join({ ...medium, hostId: HOST, hostName: `c${index}` });
            return await claimed.catch(() => null);
          });
          const members = await bed.clock.until(Promise.all(joining), 60_000);
          const holders = members.filter((member) => member !== null);
          let lost = 0;
          for (const holder of holders) holder.onLost(() => lost++);
          await bed.clock.pass(10 * TIMING.heartbeatMs);
          for (const holder of holders) await bed.clock.until(holder.close(), 60_000);
          expect(holders.length).toBeLessThanOrEqual(1);
          expect(lost).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
