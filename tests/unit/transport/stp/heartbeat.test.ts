// Beating on several volumes, and finding out that the host id is lost: with volumes that hang,
// a process that is stopped, and late writes of others. On a clock that the test moves.

import { afterEach, describe, expect, test } from "bun:test";
import type { AgentError } from "../../../../transport/ground/error.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { readHostBlock, writeHostBlock } from "../../../../transport/stp/host_table.ts";
import { formatStg, StgMember } from "../../../../transport/stp/mod.ts";
import { PeerWatch } from "../../../../transport/stp/peer_watch.ts";
import { type StgMedium, stgMedium } from "../../../../transport/stp/stg_medium.ts";
import { WriteFence } from "../../../../transport/stp/write_fence.ts";
import type { Volume } from "../../../../transport/volume.ts";
import { DelayedVolume } from "./delayed_volume.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";

const TIMING = { heartbeatMs: 250, deadMs: 2500, settleMs: 50, watchMs: 250 };
let seed = 0;
const random = { bytes: (count: number) => new Uint8Array(count).fill(++seed & 0xff) };

class Bed {
  readonly clock = new StepClock();
  readonly media = [new MemoryMedium(16 * 1024 * 1024), new MemoryMedium(16 * 1024 * 1024)];
  /** The member's own paths; the test makes them slow. */
  readonly volumes: readonly DelayedVolume[];
  readonly medium: StgMedium;
  readonly #plain: readonly Volume[];
  readonly lost: AgentError[] = [];
  member: StgMember | null = null;

  private constructor(identity: StgMedium["identity"], media: readonly MemoryMedium[]) {
    this.media = [...media];
    const { clock } = this;
    this.#plain = this.media.map((medium, index) => medium.open(`v${index}`));
    this.volumes = this.#plain.map((volume) => new DelayedVolume(volume, clock, () => 0));
    this.medium = stgMedium({ identity, volumes: this.volumes, clock, random, timing: TIMING });
  }

  /** A member that holds host 1 of a group on two volumes. */
  static async make(): Promise<Bed> {
    const media = [new MemoryMedium(16 * 1024 * 1024), new MemoryMedium(16 * 1024 * 1024)];
    const volumes = media.map((medium, index) => medium.open(`v${index}`));
    const bed = new Bed(await formatStg({ name: "stg0", volumes, random }), media);
    const joining = StgMember.join({ ...bed.medium, hostId: 1, hostName: "host1" });
    bed.member = await bed.clock.until(joining, 10_000);
    bed.member.onLost((error) => bed.lost.push(error));
    return bed;
  }

  /** The host block as it stands on a volume. */
  async block(index: number): Promise<HostBlock> {
    const volume = this.#plain[index];
    const block = volume === undefined
      ? null
      : await readHostBlock(this.medium.identity, volume, 1);
    if (block === null) throw new Error("the host has a block");
    return block;
  }

  /** What another process writes there. */
  async write(change: Partial<HostBlock>): Promise<void> {
    const block = { ...await this.block(0), ...change };
    for (const volume of this.#plain) await writeHostBlock(this.medium.identity, volume, block);
  }

  hang(index: number): void {
    const volume = this.volumes[index];
    if (volume !== undefined) volume.delayOf = () => Infinity;
  }

  /** Another host's view of this one, by its own paths. */
  observer(volumes: readonly Volume[] = this.#plain): PeerWatch {
    const boot = this.member?.claim.generation ?? 0;
    const peer = { host: 1, endpoint: 0, boot, generation: 1 };
    return new PeerWatch({ ...this.medium, volumes }, peer);
  }

  /** Looks as often as a waiting connection does. @returns what it says in the end */
  async watch(observer: PeerWatch, ms: number): Promise<string | null> {
    let verdict: string | null = null;
    for (let done = 0; done < ms && verdict === null; done += TIMING.watchMs) {
      verdict = await this.clock.until(observer.look(), 10_000);
      await this.clock.pass(TIMING.watchMs);
    }
    return verdict;
  }

  async close(): Promise<void> {
    await this.clock.until(this.member?.close() ?? Promise.resolve(), 60_000);
  }
}

describe("a host of two volumes", () => {
  const beds: Bed[] = [];
  const make = async (): Promise<Bed> => {
    const bed = await Bed.make();
    beds.push(bed);
    return bed;
  };
  afterEach(async () => {
    for (const bed of beds.splice(0)) await bed.close();
  });

  test("beats on the one while the other hangs, is alive to its peers, and shows where", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    bed.hang(0);
    const [stuck, going] = [(await bed.block(0)).heartbeat, (await bed.block(1)).heartbeat];
    expect(await bed.watch(bed.observer(), 4 * TIMING.deadMs)).toBe(null);
    expect((await bed.block(0)).heartbeat).toBe(stuck);
    expect((await bed.block(1)).heartbeat).toBeGreaterThanOrEqual(going + 35);
    expect(bed.lost).toEqual([]);
    expect(bed.member?.hosts()[0]).toMatchObject({ live: true, volumes: ["v1"] });
  });

  test("loses its id when both hang, and before a peer calls it dead", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    const observer = bed.observer();
    bed.hang(0);
    bed.hang(1);
    const startMs = bed.clock.monotonicMs();
    let lostMs = 0;
    bed.member?.onLost(() => lostMs = bed.clock.monotonicMs() - startMs);
    const verdict = await bed.watch(observer, 2 * TIMING.deadMs);
    expect(verdict).toContain(`host 1 "host1" gave no sign of life for 2500 ms`);
    expect(bed.lost.map(({ message }) => message).join()).toContain("no heartbeat for");
    expect(lostMs).toBeLessThan(TIMING.deadMs * 0.75);
    expect(lostMs).toBeGreaterThan(0);
  });

  test("is judged by the volumes that can be read, also when the peer's other one hangs", async () => {
    const bed = await make();
    const plain = bed.media.map((medium, index) => medium.open(`v${index}`));
    const [first, second] = plain;
    if (first === undefined || second === undefined) throw new Error("two volumes");
    const hanging = new DelayedVolume(first, bed.clock, () => Infinity);
    const observer = bed.observer([hanging, second]);
    expect(await bed.watch(observer, 3 * TIMING.deadMs)).toBe(null);
    bed.hang(0);
    bed.hang(1);
    expect(await bed.watch(observer, 3 * TIMING.deadMs)).toContain("no sign of life");
    const blind = plain.map((one) => new DelayedVolume(one, bed.clock, () => Infinity));
    const blinded = bed.watch(bed.observer(blind), 3 * TIMING.deadMs);
    expect(await blinded.catch(String)).toContain(`Cannot read volume "v0", "v1"`);
  });

  test("goes on after a stop that was shorter than three quarters of the dead time", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    bed.clock.jump(TIMING.deadMs * 0.6);
    await bed.clock.pass(1000);
    expect(bed.lost).toEqual([]);
  });

  test("loses its id after a longer stop, before it writes anything, and its workers too", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    const claim = bed.member?.claim;
    if (claim === undefined) throw new Error("it joined");
    const fence = new WriteFence(bed.medium, claim);
    await fence.guard(bed.clock.monotonicMs());
    const before = await bed.block(0);
    bed.clock.jump(TIMING.deadMs);
    const guarded = Promise.resolve(fence.guard(bed.clock.monotonicMs()));
    expect(await guarded.catch(String)).toContain("stood still");
    await bed.clock.pass(1000);
    expect(bed.lost.map(({ message }) => message).join()).toContain("this process stood still");
    expect(await bed.block(0)).toEqual(before);
  });

  test("never beats on when the fence of a worker gave up, however long the stop was", async () => {
    for (let stopMs = TIMING.deadMs / 2; stopMs < TIMING.deadMs * 1.2; stopMs += 50) {
      const bed = await make();
      await bed.clock.pass(1000);
      const claim = bed.member?.claim;
      if (claim === undefined) throw new Error("it joined");
      const fence = new WriteFence(bed.medium, claim);
      await fence.guard(bed.clock.monotonicMs());
      bed.clock.jump(stopMs);
      const guarded = Promise.resolve(fence.guard(bed.clock.monotonicMs()));
      const gaveUp = await guarded.then(() => false, () => true);
      await bed.clock.pass(1000);
      if (gaveUp) expect(bed.lost.length).toBe(1);
    }
  });

  test("loses its id to a claim of a later generation, and leaves that alone", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    await bed.write({ generation: 2, claim: "00000000000000ff", name: "thief" });
    await bed.clock.pass(1000);
    expect(bed.lost.map(({ message }) => message).join()).toContain(`"thief" wrote its host block`);
    await bed.close();
    expect(await bed.block(0)).toMatchObject({ name: "thief", attached: true });
  });

  test("writes over a late write of an earlier holder, but not for ever", async () => {
    const bed = await make();
    await bed.clock.pass(1000);
    const late = { generation: 0, claim: "00000000000000ee", name: "ghost", heartbeat: 9 };
    await bed.write(late);
    await bed.clock.pass(1000);
    expect(bed.lost).toEqual([]);
    expect((await bed.block(0)).name).toBe("host1");
    for (let beat = 0; beat < 8; beat++) {
      await bed.write({ ...late, heartbeat: beat });
      await bed.clock.pass(TIMING.heartbeatMs);
    }
    expect(bed.lost.map(({ message }) => message).join()).toContain(`"ghost" wrote`);
  });
});
