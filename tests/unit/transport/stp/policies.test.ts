// The pure parts: layout, cursors, liveness, the endpoint's states, leases.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ReceiveWindow, SendWindow } from "../../../../transport/stp/cursors.ts";
import { LeaseBook } from "../../../../transport/stp/endpoint_lease.ts";
import {
  type EndpointEvent,
  nextEndpointState,
  OPEN,
} from "../../../../transport/stp/endpoint_state.ts";
import { FrameSlots } from "../../../../transport/stp/frame_slots.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { VOLUME_BYTES_MIN } from "../../../../transport/stp/limits.ts";
import { LivenessJudge } from "../../../../transport/stp/liveness.ts";
import {
  controlBlockOffset,
  extentOffset,
  hostBlockOffset,
  layoutBytes,
  metadataBytes,
  planLayout,
  proofBlockOffset,
  ringSlots,
  slotBytes,
  slotOffset,
  windowFrames,
} from "../../../../transport/stp/stg_layout.ts";

const MIB = 1024 * 1024;

describe("planLayout()", () => {
  test("gives the defaults when there is room", () => {
    const layout = planLayout(1, 300 * MIB);
    expect(layout).toEqual({
      volumeCount: 1,
      maxHosts: 8,
      endpointsPerHost: 16,
      slotsPerVolume: 8,
      payloadBytes: 256 * 1024,
    });
    expect(layoutBytes(layout)).toBeLessThan(266 * MIB);
  });

  test("gives distant volumes longer frames, but only in room that nobody else needs", () => {
    expect(planLayout(1, 1100 * MIB, { distant: true })).toEqual({
      ...planLayout(1, 1100 * MIB),
      payloadBytes: MIB,
    });
    expect(planLayout(1, 300 * MIB, { distant: true })).toEqual(planLayout(1, 300 * MIB));
  });

  test("shrinks to fit every volume from 16 MiB on", () => {
    fc.assert(fc.property(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: VOLUME_BYTES_MIN, max: 400 * MIB }),
      (volumeCount, volumeBytes) => {
        const layout = planLayout(volumeCount, volumeBytes);
        expect(layoutBytes(layout)).toBeLessThanOrEqual(volumeBytes);
        expect(ringSlots(layout)).toBeGreaterThanOrEqual(4);
      },
    ));
  });

  test("says what it needs when the volume is too small", () => {
    expect(() => planLayout(1, MIB)).toThrow(/1048576 bytes, need \d+/);
  });

  test("gives each region one owner", () => {
    const layout = planLayout(2, 64 * MIB);
    const spans: [number, number][] = [[0, 4096]];
    for (let host = 1; host <= layout.maxHosts; host++) {
      spans.push([hostBlockOffset(layout, host), 4096]);
      for (let endpoint = 0; endpoint < layout.endpointsPerHost; endpoint++) {
        spans.push([controlBlockOffset(layout, host, endpoint), 4096]);
        spans.push([proofBlockOffset(layout, host, endpoint), 4096]);
        spans.push([
          extentOffset(layout, host, endpoint),
          layout.slotsPerVolume * slotBytes(layout),
        ]);
      }
    }
    spans.sort((a, b) => a[0] - b[0]);
    const lastProof = proofBlockOffset(layout, layout.maxHosts, layout.endpointsPerHost - 1);
    const metadataEnd = lastProof + 4096;
    let end = 0;
    for (const [offset, bytes] of spans) {
      // The first slot begins at a whole MiB.
      expect(offset).toBe(end === metadataEnd ? metadataBytes(layout) : end);
      end = offset + bytes;
    }
    expect(end).toBe(layoutBytes(layout));
  });

  test("puts payloads where none straddles what a medium handles whole", () => {
    for (const volumeBytes of [16 * MIB, 100 * MIB, 400 * MIB]) {
      const layout = planLayout(2, volumeBytes);
      expect(metadataBytes(layout) % MIB).toBe(0);
      expect(MIB % layout.payloadBytes).toBe(0);
      const start = slotOffset(layout, { host: 2, endpoint: 1 }, layout.slotsPerVolume - 1);
      expect(start % layout.payloadBytes).toBe(0);
    }
  });

  test("gives each frame in flight a descriptor, in rings of any size", () => {
    const layout = planLayout(3, 400 * MIB, { ringSlots: 64, payloadBytes: 64 * 1024 });
    expect(ringSlots(layout)).toBe(66);
    expect(windowFrames(layout)).toBe(64);
  });
});

describe("FrameSlots", () => {
  test("uses few slots when few are in flight, and none twice", () => {
    const slots = new FrameSlots(2, 4);
    expect([slots.take(0), slots.take(0), slots.take(1)]).toEqual([0, 1, 0]);
    slots.give(0, 0);
    expect(slots.take(0)).toBe(0);
    expect([slots.take(0), slots.take(0)]).toEqual([2, 3]);
    expect([slots.hasFree(0), slots.hasFree(1)]).toEqual([false, true]);
    expect(() => slots.take(0)).toThrow("free");
  });
});

describe("cursors", () => {
  test("give credit only by the reader's cursor", () => {
    const send = new SendWindow(2);
    for (const seq of [0, 1]) {
      send.produce(10);
      send.complete(seq);
    }
    expect(send.credit).toBe(0);
    expect(() => send.produce(1)).toThrow("credit");
    expect(send.acknowledge(1, 10)).toBe("moved");
    expect(send.acknowledge(1, 10)).toBe("same");
    expect(send.acknowledge(0, 0)).toBe("back");
    expect(send.acknowledge(3, 30)).toBe("beyond");
    expect(send.acknowledge(NaN, NaN)).toBe("beyond");
    expect(send.credit).toBe(1);
  });

  test("publish only what is on the volumes without a gap", () => {
    fc.assert(fc.property(
      fc.uniqueArray(fc.nat({ max: 7 }), { minLength: 8, maxLength: 8 }),
      (order) => {
        const send = new SendWindow(8);
        for (let seq = 0; seq < 8; seq++) send.produce(seq + 1);
        const done = new Set<number>();
        for (const seq of order) {
          const before = send.doneFrames;
          done.add(seq);
          const moved = send.complete(seq);
          let prefix = 0;
          while (done.has(prefix)) prefix++;
          expect(send.doneFrames).toBe(prefix);
          expect(send.doneBytes).toBe(prefix * (prefix + 1) / 2);
          expect(moved).toBe(prefix > before);
          expect(send.acknowledge(prefix + 1, 1000)).toBe("beyond");
        }
        expect(send.doneFrames).toBe(send.frames);
      },
    ));
  });

  test("tell of a quarter of the window while more is under way, else of each frame", () => {
    const send = new SendWindow(8);
    for (let seq = 0; seq < 4; seq++) send.produce(1);
    const due = [0, 1, 2, 3].map((seq) => {
      send.complete(seq);
      const { publishDue } = send;
      if (publishDue) send.publishedFrames = send.doneFrames;
      return publishDue;
    });
    expect(due).toEqual([false, true, false, true]);
    send.limit = 4;
    send.acknowledge(4, 4);
    send.produce(1);
    send.produce(1);
    send.complete(4);
    expect(send.publishDue).toBe(true);
  });

  const announced = (producedFrames: number, producedBytes: number, windowFrames = 0) => ({
    producedFrames,
    producedBytes,
    windowFrames,
  });

  test("ignore a producer that moves back or past the ring", () => {
    const receive = new ReceiveWindow(4, 100);
    expect(receive.announce(announced(2, 150))).toBe("moved");
    expect(receive.announce(announced(1, 100))).toBe("back");
    expect(receive.announce(announced(5, 200))).toBe("beyond");
    expect(receive.announce(announced(3, 400))).toBe("beyond");
    expect(receive.announce(announced(3, 150))).toBe("beyond");
    expect(receive.announce(announced(NaN, NaN))).toBe("beyond");
    expect(receive.available).toBe(2);
  });

  test("acknowledge at half of the ring, when idle, or when the peer waits", () => {
    const receive = new ReceiveWindow(4, 100);
    receive.announce(announced(3, 300));
    const busy = { peerBlocked: false, idle: false };
    expect(receive.ackDue({ peerBlocked: true, idle: true })).toBe(false);
    receive.consume(100);
    expect(receive.ackDue(busy)).toBe(false);
    expect(receive.ackDue({ ...busy, peerBlocked: true })).toBe(true);
    expect(receive.ackDue({ ...busy, idle: true })).toBe(true);
    receive.consume(100);
    expect(receive.ackDue(busy)).toBe(true);
  });

  test("acknowledge at half of the window that the peer has now", () => {
    const receive = new ReceiveWindow(8, 100);
    receive.announce(announced(2, 200, 2));
    receive.consume(100);
    expect(receive.ackDue({ peerBlocked: false, idle: false })).toBe(true);
    receive.publishedFrames = 1;
    receive.announce(announced(2, 200, 1000));
    receive.consume(100);
    expect(receive.ackDue({ peerBlocked: false, idle: false })).toBe(false);
  });

  test("give less credit when the limit falls, and never more than the window", () => {
    const send = new SendWindow(8);
    for (let seq = 0; seq < 3; seq++) {
      send.produce(10);
      send.complete(seq);
    }
    send.limit = 2;
    expect(send.credit).toBe(-1);
    send.acknowledge(3, 30);
    expect(send.credit).toBe(2);
    send.limit = 100;
    expect(send.credit).toBe(8);
  });
});

describe("LivenessJudge", () => {
  const host = (change: Partial<HostBlock> = {}): HostBlock => ({
    hostId: 1,
    stgUuid: "",
    attached: true,
    generation: 1,
    claim: "a",
    heartbeat: 1,
    deadMs: 1000,
    name: "h",
    process: null,
    ...change,
  });

  test("calls a host dead when its counter stands still, by our clock only", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    expect(judge.observe([host()], 100, 1000)).toBe("unknown");
    expect(judge.observe([host({ heartbeat: 2 })], 400, 1000)).toBe("live");
    expect(judge.observe([host({ heartbeat: 2 })], 650, 1000)).toBe("live");
    expect(judge.observe([null], 900, 1000)).toBe("suspect");
    expect(judge.observe([host({ heartbeat: 2 })], 1150, 1000)).toBe("suspect");
    expect(judge.observe([host({ heartbeat: 2 })], 1400, 1000)).toBe("dead");
  });

  test("does not take its own pause for the peer's death", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    judge.observe([host()], 100, 1000);
    expect(judge.observe([host()], 5000, 1000)).toBe("unknown");
    for (const ms of [5100, 5200, 5300]) judge.observe([host()], ms, 1000);
    expect(judge.observe([host()], 15_000, 1000)).toBe("suspect");
    expect(judge.observe([host({ heartbeat: 2 })], 15_100, 1000)).toBe("live");
  });

  test("sees another claim and an orderly end at once", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    judge.observe([host()], 100, 1000);
    expect(judge.observe([host({ attached: false })], 200, 1000)).toBe("detached");
    expect(judge.observe([host({ claim: "b" })], 300, 1000)).toBe("replaced");
    const following = new LivenessJudge({ followsClaims: true });
    following.observe([host()], 100, 1000);
    expect(following.observe([host({ claim: "b" })], 300, 1000)).toBe("unknown");
  });

  test("takes a beat on any volume for life, and death only from all that can be read", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    judge.observe([host(), host({ heartbeat: 7 })], 0, 1000);
    for (let ms = 250, beat = 8; ms <= 3000; ms += 250) {
      expect(judge.observe([host(), host({ heartbeat: beat++ })], ms, 1000)).toBe("live");
      expect(judge.observe([null, host({ heartbeat: beat++ })], ms, 1000)).toBe("live");
    }
    for (let ms = 3250; ms < 4000; ms += 250) judge.observe([host(), null], ms, 1000);
    expect(judge.observe([host(), null], 4000, 1000)).toBe("dead");
  });

  test("is not fooled by volumes of which one is a beat ahead when the host dies", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    const ahead = host({ heartbeat: 2 });
    judge.observe([host(), ahead], 0, 1000);
    // Each look reads only one of them, as when the other is slow.
    for (let ms = 100; ms < 1000; ms += 100) {
      expect(judge.observe(ms % 200 === 0 ? [host(), null] : [null, ahead], ms, 1000))
        .not.toBe("live");
    }
    expect(judge.observe([host(), ahead], 1000, 1000)).toBe("dead");
  });

  test("ignores the block of an earlier generation: old content, or a late write", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    judge.observe([host({ generation: 2, claim: "b" })], 100, 1000);
    expect(judge.observe([host()], 200, 1000)).toBe("unknown");
    expect(judge.observe([host({ generation: 2, claim: "b", heartbeat: 2 })], 300, 1000))
      .toBe("live");
    expect(judge.observe([host({ generation: 3, claim: "c" })], 400, 1000)).toBe("replaced");
  });
});

describe("nextEndpointState()", () => {
  const run = (...events: EndpointEvent[]) => {
    let step = nextEndpointState(OPEN, { type: "peer-open" });
    for (const event of events) step = nextEndpointState(step.state, event);
    return step;
  };

  test("frees the endpoint once the peer took everything", () => {
    expect(run({ type: "close" }).state.phase).toBe("closing");
    const done = run({ type: "close" }, { type: "drained" });
    expect(done.state.phase).toBe("freed");
    expect(done.actions).toEqual(["publish", "release"]);
  });

  test("does not wait for a peer that reads no more", () => {
    expect(run({ type: "close" }, { type: "peer-closing" }).state.phase).toBe("freed");
    expect(run({ type: "peer-closing" }, { type: "close" }).state.phase).toBe("freed");
    expect(run({ type: "close" }, { type: "peer-freed" }).state.phase).toBe("freed");
  });

  test("fails when the peer's endpoint ends without a close, not after its end", () => {
    expect(run({ type: "peer-freed" }).state.phase).toBe("failed");
    expect(run({ type: "fin-reached" }, { type: "peer-freed" }).state.phase).toBe("open");
  });

  test("keeps the first failure, and changes nothing after the end", () => {
    const failed = run({ type: "abort", reason: "one" }, { type: "fault", reason: "two" });
    expect(failed.state.failure).toBe("one");
    expect(failed.actions).toEqual([]);
    expect(run({ type: "close" }, { type: "drained" }, { type: "close" }).actions).toEqual([]);
  });

  test("releases the endpoint exactly once in every order of events", () => {
    const events: EndpointEvent[] = [
      { type: "peer-open" },
      { type: "peer-closing" },
      { type: "peer-freed" },
      { type: "peer-aborted", reason: "x" },
      { type: "fin-reached" },
      { type: "drained" },
      { type: "close-write" },
      { type: "close" },
      { type: "abort", reason: "x" },
    ];
    fc.assert(fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), (order) => {
      let state = OPEN;
      let releases = 0;
      for (const event of [...order, { type: "abort", reason: "end" } as const]) {
        const step = nextEndpointState(state, event);
        releases += step.actions.filter((action) => action === "release").length;
        state = step.state;
      }
      expect(releases).toBe(1);
    }));
  });
});

describe("LeaseBook", () => {
  test("never gives an endpoint or port to two", () => {
    const book = new LeaseBook("stg0", 4);
    const a = book.lease(2, 0);
    const b = book.lease(2, 0);
    expect(new Set([...a.endpoints, ...b.endpoints]).size).toBe(4);
    expect(new Set([...a.ports, ...b.ports]).size).toBe(16);
    expect(() => book.lease(1, 0)).toThrow("0 are free, need 1");
    book.release(a.leaseId);
    expect(book.lease(1, 0).endpoints).toEqual(a.endpoints.slice(0, 1));
  });
});
