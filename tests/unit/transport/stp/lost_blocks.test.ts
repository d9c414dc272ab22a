// Blocks that the medium lost (a cache without power): they count as never written, and a volume
// that still answers is no dead volume.

import { beforeEach, describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import { readHostTable } from "../../../../transport/stp/host_table.ts";
import { BLOCK_BYTES } from "../../../../transport/stp/limits.ts";
import { readBlocks } from "../../../../transport/stp/lost_blocks.ts";
import { formatStg, type StgIdentity, StgMember } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset, hostBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";

const TIMING = { heartbeatMs: 250, deadMs: 2500, settleMs: 50, watchMs: 250 };
const HOST = 2;

let seed = 0;
const random = { bytes: (count: number) => new Uint8Array(count).fill(++seed & 0xff) };

/** Offsets of blocks that read as errors until they are written. */
let lost: Set<number>;
let clock: StepClock;
let volumes: readonly Volume[];
let identity: StgIdentity;

function forgetful(name: string): Volume {
  const medium = new MemoryMedium(16 * 1024 * 1024);
  medium.onRead = (offset, length) => {
    for (const at of lost) {
      if (at >= offset && at < offset + length) throw new Error(`lost at ${at}`);
    }
  };
  medium.onWrite = (offset, length) => {
    for (const at of lost) if (at >= offset && at < offset + length) lost.delete(at);
  };
  return medium.open(name);
}

beforeEach(async () => {
  lost = new Set();
  clock = new StepClock();
  volumes = [forgetful("v0"), forgetful("v1")];
  identity = await formatStg({ name: "stg0", volumes, random });
});

async function join(hostId = HOST): Promise<StgMember> {
  const medium = { identity, volumes, clock, random, timing: TIMING };
  return await clock.until(
    StgMember.join({ ...medium, hostId, hostName: `host${hostId}` }),
    60_000,
  );
}

function thrown(error: unknown): string {
  return error instanceof AgentError ? `${error.code}: ${error.message}` : String(error);
}

describe("readBlocks()", () => {
  test("gives what is there, zeros for what is lost, and says which", async () => {
    const [volume] = volumes;
    if (volume === undefined) throw new Error("the bed has a volume");
    const from = hostBlockOffset(identity.layout, 1);
    await volume.write(from, new Uint8Array(4 * BLOCK_BYTES).fill(9));
    lost.add(from + BLOCK_BYTES).add(from + 3 * BLOCK_BYTES);
    const into = new Uint8Array(4 * BLOCK_BYTES).fill(5);
    expect(await readBlocks(volume, from, into)).toEqual(new Set([1, 3]));
    const firsts = [0, 1, 2, 3].map((block) => into[block * BLOCK_BYTES]);
    expect(firsts).toEqual([9, 0, 9, 0]);
  });

  test("fails when the volume does not answer at all", async () => {
    const [volume] = volumes;
    if (volume === undefined) throw new Error("the bed has a volume");
    lost.add(0).add(BLOCK_BYTES);
    const failed = await Promise.resolve(readBlocks(volume, BLOCK_BYTES, new Uint8Array(4096)))
      .then(() => "read", thrown);
    expect(failed).toContain('volume: Cannot read volume "v0"');
  });
});

describe("a group that lost blocks", () => {
  test("lets a host join over its own lost blocks, after the dead time, as a new generation", async () => {
    const before = await join();
    const { generation } = before.claim;
    await clock.until(before.close(), 60_000);
    lost.add(hostBlockOffset(identity.layout, HOST));
    lost.add(controlBlockOffset(identity.layout, HOST, 0));
    const startMs = clock.monotonicMs();
    const member = await join();
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(TIMING.deadMs);
    expect(member.claim.generation).toBe(generation + 1);
    expect([...lost]).toEqual([]);
    await clock.until(member.close(), 60_000);
  });

  test("keeps a host up while another's block is lost, and shows that one as missing", async () => {
    const [one, two] = [await join(1), await join(2)];
    for (const volume of volumes) {
      expect([...(await readHostTable(identity, volume)).keys()]).toEqual([1, 2]);
    }
    await clock.until(two.close(), 60_000);
    lost.add(hostBlockOffset(identity.layout, 2));
    await clock.until(clock.sleep(2 * TIMING.deadMs), 60_000);
    expect(one.hosts().find(({ host }) => host === 1)?.live).toBe(true);
    for (const volume of volumes) {
      expect([...(await readHostTable(identity, volume)).keys()]).toEqual([1]);
    }
    expect((await one.status()).hosts.map(({ host }) => host)).toContain(1);
    await clock.until(one.close(), 60_000);
  });

  test("fails to join at once when a volume does not answer", async () => {
    lost.add(0).add(hostBlockOffset(identity.layout, HOST));
    const startMs = clock.monotonicMs();
    expect(await join().then(() => "joined", thrown)).toContain("volume: ");
    expect(clock.monotonicMs() - startMs).toBe(0);
  });
});
