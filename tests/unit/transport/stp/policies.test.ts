// The pure parts: layout, cursors, liveness, idle ladder, the endpoint's states, leases.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ReceiveWindow, SendWindow } from "../../../../transport/stp/cursors.ts";
import { LeaseBook } from "../../../../transport/stp/endpoint_lease.ts";
import {
  type EndpointEvent,
  nextEndpointState,
  OPEN,
} from "../../../../transport/stp/endpoint_state.ts";
import type { HostBlock } from "../../../../transport/stp/host_block.ts";
import { IdleLadder } from "../../../../transport/stp/idle_ladder.ts";
import {
  SLEEP_MS_FIRST,
  SLEEP_MS_MAX,
  SPIN_POLLS_MAX,
  VOLUME_BYTES_MIN,
  YIELD_MS_MAX,
  YIELD_POLLS_MAX,
} from "../../../../transport/stp/limits.ts";
import { LivenessJudge } from "../../../../transport/stp/liveness.ts";
import {
  controlBlockOffset,
  extentOffset,
  hostBlockOffset,
  layoutBytes,
  planLayout,
  proofBlockOffset,
  ringSlots,
  slotBytes,
  slotOfPlace,
  volumeOfPlace,
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
    let end = 0;
    for (const [offset, bytes] of spans) {
      expect(offset).toBe(end);
      end = offset + bytes;
    }
    expect(end).toBe(layoutBytes(layout));
  });

  test("puts each frame of a ring into a slot of its own", () => {
    const layout = planLayout(3, 64 * MIB);
    const places = Array.from(
      { length: ringSlots(layout) },
      (_, seq) => `${volumeOfPlace(layout, seq)}:${slotOfPlace(layout, seq)}`,
    );
    expect(new Set(places).size).toBe(ringSlots(layout));
    expect(volumeOfPlace(layout, ringSlots(layout))).toBe(0);
    expect(slotOfPlace(layout, ringSlots(layout))).toBe(0);
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
        expect(send.unfinished).toBe(0);
      },
    ));
  });

  const announced = (
    producedFrames: number,
    producedBytes: number,
    lapFrame = 0,
    lapSlots = 0,
  ) => ({
    producedFrames,
    producedBytes,
    lapFrame,
    lapSlots,
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
    expect(receive.lengthBytesMax).toBe(100);
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

  test("change the length of a lap only when nothing is in flight", () => {
    const send = new SendWindow(8);
    send.produce(10);
    send.complete(0);
    send.resize(2);
    expect(send.credit).toBe(0);
    expect(send.lapSlots).toBe(8);
    expect(send.acknowledge(1, 10)).toBe("moved");
    send.resize(2);
    expect([send.credit, send.lapFrame, send.place(1), send.place(2), send.place(3)])
      .toEqual([2, 1, 0, 1, 0]);
    send.resize(100);
    expect(send.lapSlots).toBe(8);
  });

  test("follow a lap only from where everything was taken", () => {
    const receive = new ReceiveWindow(8, 100);
    receive.announce(announced(2, 200));
    expect(receive.announce(announced(3, 300, 2, 2))).toBe("beyond"); // frame 0 was not taken
    receive.consume(100);
    receive.consume(100);
    expect(receive.announce(announced(3, 300, 2, 2))).toBe("beyond"); // nor told
    receive.publishedFrames = 2;
    expect(receive.announce(announced(3, 300, 2, 9))).toBe("beyond");
    expect(receive.announce(announced(5, 500, 2, 2))).toBe("beyond");
    expect(receive.announce(announced(4, 400, NaN, 2))).toBe("beyond");
    expect(receive.announce(announced(4, 400, 2, 2))).toBe("moved");
    expect([receive.place(2), receive.place(3)]).toEqual([0, 1]);
    expect(receive.announce(announced(5, 500, 0, 8))).toBe("back");
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
    expect(judge.observe([host({ heartbeat: 2 })], 800, 1000)).toBe("live");
    expect(judge.observe([null], 1000, 1000)).toBe("suspect");
    expect(judge.observe([host({ heartbeat: 2 })], 1400, 1000)).toBe("dead");
  });

  test("does not take its own pause for the peer's death", () => {
    const judge = new LivenessJudge({ followsClaims: false });
    judge.observe([host()], 100, 1000);
    expect(judge.observe([host()], 5000, 1000)).toBe("unknown");
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

describe("IdleLadder", () => {
  test("spins, yields, then sleeps up to the cap, also when the clock stands still", () => {
    const ladder = new IdleLadder();
    const steps = Array.from(
      { length: SPIN_POLLS_MAX + YIELD_POLLS_MAX + 10 },
      () => ladder.next(5),
    );
    expect(steps[0]).toBe("spin");
    expect(steps).toContain("yield");
    expect(steps.at(-1)).toBe("sleep");
    expect(ladder.sleepMs).toBe(SLEEP_MS_MAX);
    ladder.reset();
    expect(ladder.next(6)).toBe("spin");
    expect(ladder.next(6.5)).toBe("yield");
    expect(ladder.next(60)).toBe("sleep");
    expect(ladder.sleepMs).toBe(1);
  });

  test("outlasts the other end's first sleep, so that two ends do not sleep in turns", () => {
    const ladder = new IdleLadder();
    ladder.next(0);
    expect(ladder.next(3 * SLEEP_MS_FIRST)).toBe("yield");
    expect(YIELD_MS_MAX).toBeGreaterThan(2.5 * SLEEP_MS_FIRST);
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
    const a = book.lease(2);
    const b = book.lease(2);
    expect(new Set([...a.endpoints, ...b.endpoints]).size).toBe(4);
    expect(new Set([...a.ports, ...b.ports]).size).toBe(16);
    expect(() => book.lease(1)).toThrow("0 are free, need 1");
    book.release(a.leaseId);
    expect(book.lease(1).endpoints).toEqual(a.endpoints.slice(0, 1));
  });
});
