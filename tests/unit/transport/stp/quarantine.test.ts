// Endpoints with a write whose end is not known: they are not used again until it can no longer
// land, others are used first, and nothing needs a manual step.

import { afterEach, describe, expect, test } from "bun:test";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { LeaseBook } from "../../../../transport/stp/endpoint_lease.ts";
import { EndpointPool } from "../../../../transport/stp/endpoint_pool.ts";
import { StgMember, StpMechanism } from "../../../../transport/stp/mod.ts";
import { controlBlockOffset, metadataBytes } from "../../../../transport/stp/stg_layout.ts";
import { stgMedium } from "../../../../transport/stp/stg_medium.ts";
import {
  connectPair,
  failure,
  type MemoryBed,
  openMemoryBed,
  SHORT,
  writeWhole,
} from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const FORMAT = { maxHosts: 2, endpointsPerHost: 4, ringSlots: 4, payloadBytes: 64 * 1024 };
const QUARANTINE_MS = 600;
const TIMING = { ...SHORT, quarantineMs: QUARANTINE_MS };
/** For tests that do not wait for its end: longer than any machine takes for them. */
const LASTING = { ...SHORT, quarantineMs: 600_000 };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function memoryBed(timing = TIMING): Promise<MemoryBed> {
  const bed = await openMemoryBed({ clock, random, timing, format: FORMAT });
  opened.push(bed);
  return bed;
}

/** Lets host 1 write once more, then fail: what it wrote last may or may not land. */
function failSlotWrites(bed: MemoryBed): void {
  const data = metadataBytes(bed.identity.layout);
  for (const medium of bed.media) {
    medium.onWrite = (offset) => {
      if (offset >= data) throw new Error("timed out");
    };
  }
}

describe("EndpointPool", () => {
  test("uses an endpoint after a failed write only when its quarantine is over", async () => {
    const bed = await memoryBed();
    const [a] = await connectPair(bed);
    failSlotWrites(bed);
    expect((await failure(writeWhole(a, new Uint8Array(2000)))).code).toBe("reset");
    for (const medium of bed.media) medium.onWrite = () => {};
    const startMs = clock.monotonicMs();
    const used: number[] = [];
    const { mechanism } = bed.hosts[0];
    for (let index = 0; index < FORMAT.endpointsPerHost; index++) {
      if (index === 3) expect(clock.monotonicMs() - startMs).toBeLessThan(QUARANTINE_MS);
      const socket = mechanism.STPsocket();
      opened.push(socket);
      await socket.bind({ family: "AF_STP", stg: "stg0", host: 1, port: 0 });
      await socket.listen({ backlog: 1 });
      used.push(index);
    }
    expect(used.length).toBe(4);
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(QUARANTINE_MS * 0.8);
  });

  test("gives each lease generations of its own, whatever the block on the volume says", async () => {
    const bed = await memoryBed();
    const medium = stgMedium(mediumOf(bed));
    const { claim } = bed.hosts[0].member;
    const generations: number[] = [];
    for (const leaseId of [2, 3]) {
      const pool = new EndpointPool(medium, claim, { leaseId, endpoints: [3], ports: [] });
      // Nothing is published: the next lease finds the block as it was.
      generations.push((await pool.acquire()).self.generation);
    }
    const [first = 0, second = 0] = generations;
    expect(second).toBeGreaterThan(first);
  });

  test("does not wait past the deadline, and says for how long it would have to", async () => {
    const bed = await memoryBed();
    const medium = stgMedium(mediumOf(bed));
    const lease = {
      leaseId: 9,
      endpoints: [0],
      ports: [],
      quarantined: [{ endpoint: 0, forMs: 60_000 }],
    };
    const pool = new EndpointPool(medium, bed.hosts[0].member.claim, lease);
    expect(pool.hasFree).toBe(false);
    const busy = await failure(pool.acquire({ deadlineMs: clock.monotonicMs() + 10 }));
    expect(busy.code).toBe("busy");
    expect(busy.message).toMatch(/in quarantine, the next for \d+ ms/);
  });

  test("takes an endpoint back at once when all its writes have landed", async () => {
    const bed = await memoryBed();
    for (let turn = 0; turn < 6; turn++) {
      const [a, b] = await connectPair(bed);
      await writeWhole(a, new Uint8Array(100_000));
      a.abort("the test says so");
      b.abort("the test says so");
    }
  });
});

describe("LeaseBook", () => {
  test("leases quarantined endpoints last, with the time that is left", () => {
    const book = new LeaseBook("stg0", 4);
    book.quarantine(0, 1000, 7);
    book.quarantine(1, 500, 3);
    const first = book.lease(2, 100);
    expect([first.endpoints, first.quarantined]).toEqual([[2, 3], []]);
    const second = book.lease(2, 200);
    expect(second.endpoints).toEqual([1, 0]);
    expect(second.quarantined).toEqual([{ endpoint: 0, forMs: 800 }, { endpoint: 1, forMs: 300 }]);
    expect(book.quarantined(700)).toEqual([{ endpoint: 0, forMs: 300 }]);
  });
});

describe("LeaseBook.quarantine()", () => {
  test("holds once for each use, however often the endpoint is leased and not used", () => {
    const book = new LeaseBook("stg0", 1);
    book.quarantine(0, 1000, 7);
    book.quarantine(0, 9000, 7);
    expect(book.quarantined(1001)).toEqual([]);
    book.quarantine(0, 9000, 7);
    expect(book.quarantined(1002)).toEqual([]);
    book.quarantine(0, 9000, 8);
    expect(book.quarantined(1003).length).toBe(1);
  });
});

describe("StgMember", () => {
  test("keeps what a killed worker left open in quarantine", async () => {
    const bed = await memoryBed(LASTING);
    await connectPair(bed);
    const { member } = bed.hosts[0];
    const lease = { leaseId: 1, endpoints: [0, 1, 2, 3], ports: [] };
    await member.release(lease);
    expect(member.quarantined().map(({ endpoint }) => endpoint)).toEqual([0]);
    expect(member.lease(4).quarantined?.length).toBe(1);
  });

  test("takes a lease back whole when a volume fails, in quarantine what it cannot see", async () => {
    const bed = await memoryBed();
    const { member } = bed.hosts[0];
    const [control] = bed.media;
    const unreadable = controlBlockOffset(bed.identity.layout, 1, 1);
    const damaged = controlBlockOffset(bed.identity.layout, 1, 2);
    if (control === undefined) throw new Error("a bed has a volume");
    control.bytes.fill(7, damaged, damaged + 512);
    control.onRead = (offset) => {
      // Without its superblock a volume counts as one that does not answer.
      if (offset === unreadable || offset === 0) throw new Error("no path to the medium");
    };
    const lease = { leaseId: 1, endpoints: [0, 1, 2, 3], ports: [] };
    expect((await failure(member.release(lease))).code).toBe("volume");
    expect(member.quarantined().map(({ endpoint }) => endpoint)).toEqual([1, 2]);
    expect(member.lease(4).endpoints.slice(2)).toEqual([1, 2]);
  });

  test("keeps what an earlier process left open in quarantine, also across two starts", async () => {
    const bed = await memoryBed(LASTING);
    await connectPair(bed);
    bed.paths[0].cut = true; // It was killed: nothing of it writes or tends its connection.
    const volumes = bed.media.map((one, index) => one.open(`v${index}`));
    const medium = { ...mediumOf(bed, LASTING), volumes };
    for (let start = 0; start < 2; start++) {
      const member = await StgMember.join({
        ...medium,
        hostId: 1,
        hostName: "host1",
      });
      opened.push(member);
      expect(member.quarantined().map(({ endpoint }) => endpoint)).toEqual([0]);
      const lease = member.lease(4);
      const mechanism = new StpMechanism({ ...medium, claim: member.claim, lease });
      const socket = mechanism.STPsocket();
      await socket.bind({ family: "AF_STP", stg: "stg0", host: 1, port: 0 });
      await socket.listen({ backlog: 1 });
      await socket.close();
      await member.close();
    }
  });
});

function mediumOf(bed: MemoryBed, timing = TIMING) {
  const { identity, hosts: [{ volumes }] } = bed;
  return { identity, volumes, clock, random, timing };
}
