// What a killed worker left is ended by its daemon: also when the write is lost, when an older block
// lands over it, or when the daemon itself reads an older one; and never over another's block.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { ControlBlock, controlBlockImage } from "../../../../transport/stp/control_block.ts";
import { EndpointEnding } from "../../../../transport/stp/endpoint_ending.ts";
import { BLOCK_BYTES } from "../../../../transport/stp/limits.ts";
import { formatStg } from "../../../../transport/stp/mod.ts";
import { readOwnBlock } from "../../../../transport/stp/own_control.ts";
import { controlBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { type StgMedium, stgMedium } from "../../../../transport/stp/stg_medium.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { StepClock } from "./step_clock.ts";
import {
  connectPair,
  type MemoryBed,
  openMemoryBed,
  readCount,
  SHORT,
  writeWhole,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const REASON = "the process that held it ended";

describe("StgMember.release()", () => {
  let bed: MemoryBed;
  let memory: MemoryMedium;
  beforeEach(async () => {
    bed = await openMemoryBed({ clock, random, timing: SHORT });
    const [first] = bed.media;
    if (first === undefined) throw new Error("a bed has a volume");
    memory = first;
  });
  afterEach(() => bed.close());

  /** The control block of host 2, whose worker is killed. */
  function place(endpoint: number): number {
    return controlBlockOffset(bed.identity.layout, 2, endpoint);
  }

  async function killWorker(): Promise<void> {
    bed.workerPaths[1].cut = true;
    const endpoints = Array.from({ length: bed.identity.layout.endpointsPerHost }, (_, i) => i);
    await bed.hosts[1].member.release({ leaseId: 1, endpoints, ports: [] });
  }

  async function failure(attempt: Promise<unknown>): Promise<string> {
    const error = await attempt.then(() => null, (error: unknown) => error);
    return error instanceof AgentError ? error.message : `no operating error: ${error}`;
  }

  test("tells the peer also when the first write is lost", async () => {
    const [a, b] = await connectPair(bed);
    const lost = place(b.ids.local.endpoint);
    let losses = 0;
    memory.losesWrite = (offset) => offset === lost && losses++ === 0;
    await killWorker();
    expect(await failure(a.read(new Uint8Array(1)))).toContain(REASON);
    expect(losses).toBeGreaterThan(0);
  });

  test("tells the peer also when an older block lands over the end", async () => {
    const [a, b] = await connectPair(bed);
    const at = place(b.ids.local.endpoint);
    const older = memory.bytes.slice(at, at + BLOCK_BYTES);
    await killWorker();
    memory.bytes.set(older, at);
    expect(await failure(a.read(new Uint8Array(1)))).toContain(REASON);
  });

  test("tells the peer also when it reads an older block than the peer saw", async () => {
    const [a, b] = await connectPair(bed);
    const at = place(b.ids.local.endpoint);
    const older = memory.bytes.slice(at, at + BLOCK_BYTES);
    for (let round = 0; round < 3; round++) {
      await writeWhole(b, new Uint8Array(1000));
      await readCount(a, 1000);
    }
    memory.bytes.set(older, at);
    await killWorker();
    expect(await failure(a.read(new Uint8Array(1)))).toContain(REASON);
  });

  test("writes nothing more when the member is closed", async () => {
    const [, b] = await connectPair(bed);
    const at = place(b.ids.local.endpoint);
    const older = memory.bytes.slice(at, at + BLOCK_BYTES);
    await killWorker();
    await bed.hosts[1].member.close();
    memory.bytes.set(older, at);
    await clock.sleep(SHORT.watchMs ?? 0);
    const left = await readOwnBlock(stgMedium(mediumOf(bed)), 2, b.ids.local.endpoint);
    expect(left?.kind).not.toBe("aborted");
  });
});

function mediumOf({ identity, hosts: [, { volumes }] }: MemoryBed) {
  return { identity, volumes, clock, random, timing: SHORT };
}

describe("EndpointEnding", () => {
  const TIMING = { heartbeatMs: 250, deadMs: 2500, settleMs: 50, watchMs: 250 };
  const HOUR_MS = 3_600_000;
  const LOCAL = { host: 1, endpoint: 3, boot: 5, generation: 7 };
  const PEER = { host: 2, endpoint: 1, boot: 4, generation: 9 };
  let time: StepClock;
  let memory: MemoryMedium;
  let medium: StgMedium;
  let mayWrite: boolean;
  let ending: EndpointEnding;

  beforeEach(async () => {
    time = new StepClock();
    memory = new MemoryMedium(16 * 1024 * 1024);
    const volumes = [memory.open("v0")];
    const identity = await formatStg({ name: "stg0", volumes, random });
    medium = stgMedium({ identity, volumes, clock: time, random, timing: TIMING });
    mayWrite = true;
    const claim = { hostId: 1, hostName: "h1", generation: LOCAL.boot, claim: "00000000000000aa" };
    ending = new EndpointEnding({
      medium,
      claim,
      endpoint: 3,
      leaseGeneration: LOCAL.generation - 1,
      mayWrite: () => mayWrite,
    });
    put(open());
    put({ ...open(), self: PEER, peer: LOCAL });
  });
  afterEach(() => ending.stop());

  function open(change: Partial<ControlBlock> = {}): ControlBlock {
    const block = Object.assign(new ControlBlock(), { kind: "established", changes: 20 });
    return Object.assign(block, { self: LOCAL, peer: PEER, ...change });
  }

  /** Puts a block where it belongs, whoever it says it is of. */
  function put(block: ControlBlock, { host, endpoint } = block.self): void {
    const at = controlBlockOffset(medium.identity.layout, host, endpoint);
    memory.bytes.set(controlBlockImage(block), at);
  }

  async function found(): Promise<ControlBlock> {
    const block = await readOwnBlock(medium, 1, 3);
    if (block === null) throw new Error("no block");
    return block;
  }

  async function tell(): Promise<boolean> {
    return await ending.tell(await found());
  }

  test("writes the end again over older blocks, until the peer ended", async () => {
    await tell();
    ending.repeat(HOUR_MS);
    const ends: number[] = [];
    for (
      const older of [open(), open({ changes: 19 }), open({ self: { ...LOCAL, generation: 6 } })]
    ) {
      put(older);
      await time.pass(TIMING.watchMs);
      expect(await found()).toMatchObject({ kind: "aborted", reason: REASON, self: LOCAL });
      ends.push((await found()).changes);
    }
    expect(ends.every((changes, index) => changes > (ends[index - 1] ?? 2 ** 32))).toBe(true);
    put(open({ kind: "aborted", self: PEER, peer: LOCAL }));
    await time.pass(TIMING.watchMs);
    put(open());
    await time.pass(TIMING.watchMs);
    expect((await found()).kind).toBe("established");
  });

  test("writes the end when the block that could not be read can be", async () => {
    expect(await ending.tell(null)).toBe(true);
    ending.repeat(HOUR_MS);
    await time.pass(TIMING.watchMs);
    expect((await found()).kind).toBe("aborted");
  });

  test("goes on after an operation that failed", async () => {
    let failing = true;
    memory.onWrite = () => {
      if (failing) throw new Error("input/output error");
    };
    const attempt = await tell().catch((error: unknown) => error);
    expect(attempt).toMatchObject({ code: "volume" });
    ending.repeat(HOUR_MS);
    await time.pass(TIMING.watchMs);
    failing = false;
    await time.pass(TIMING.watchMs);
    expect((await found()).kind).toBe("aborted");
  });

  test("leaves an earlier lease's block alone, which covers the worker's or is all there is", async () => {
    const earlier = open({ self: { ...LOCAL, generation: LOCAL.generation - 1 } });
    put(earlier);
    expect(await tell()).toBe(true);
    expect((await found()).kind).toBe("established");
    ending.repeat(HOUR_MS);
    put(open());
    await time.pass(TIMING.watchMs);
    expect(await found()).toMatchObject({ kind: "aborted", self: LOCAL });
  });

  test("goes on for a connector that asked: the listener lives, another endpoint answered", async () => {
    put(open({ kind: "connecting" }));
    put(open({ kind: "listening", self: PEER }));
    await tell();
    ending.repeat(HOUR_MS);
    await time.pass(TIMING.watchMs);
    put(open({ kind: "connecting" }));
    await time.pass(TIMING.watchMs);
    expect((await found()).kind).toBe("aborted");
  });

  test("leaves a later use and another holder of the id alone", async () => {
    await tell();
    for (const later of [{ ...LOCAL, generation: 8 }, { ...LOCAL, boot: 6, generation: 1 }]) {
      put(open({ self: later }));
      expect(await tell()).toBe(false);
      expect(await found()).toMatchObject({ kind: "established", self: later });
    }
  });

  test("never writes as who it is not", async () => {
    const others = [{ ...LOCAL, boot: 4 }, { ...LOCAL, host: 2 }, { ...LOCAL, endpoint: 2 }];
    for (const self of others) {
      put(open({ self }), LOCAL);
      expect(await tell()).toBe(true);
      expect(await found()).toMatchObject({ kind: "established", self });
    }
  });

  test("writes nothing when the id may be lost, after stop(), and when its time is over", async () => {
    mayWrite = false;
    expect(await tell()).toBe(false);
    expect((await found()).kind).toBe("established");
    mayWrite = true;
    await tell();
    ending.repeat(time.monotonicMs() + TIMING.watchMs);
    await time.pass(2 * TIMING.watchMs);
    put(open());
    await time.pass(2 * TIMING.deadMs);
    expect((await found()).kind).toBe("established");
    await ending.stop();
    expect(await tell()).toBe(false);
    expect((await found()).kind).toBe("established");
  });

  test("takes a peer that no layout has for unknown, and counts that nobody can count for none", async () => {
    put(open({ peer: { ...PEER, endpoint: 1 << 20 } }));
    await tell();
    ending.repeat(HOUR_MS);
    await time.pass(2 * TIMING.deadMs);
    expect((await found()).kind).toBe("aborted");
    const next = new EndpointEnding({
      medium,
      claim: { hostId: 1, hostName: "h1", generation: LOCAL.boot, claim: "00000000000000aa" },
      endpoint: 3,
      leaseGeneration: 0,
      mayWrite: () => true,
    });
    expect(await next.tell(open({ changes: NaN }))).toBe(true);
  });
});
