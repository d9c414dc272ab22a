// Groups and hosts: formatting, opening, claiming a host id, losing it, leases.

import { afterEach, describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { encodeHostBlock } from "../../../../transport/stp/host_block.ts";
import { readHostBlock } from "../../../../transport/stp/host_table.ts";
import {
  formatStg,
  readStgIdentity,
  readStgStatus,
  StgMember,
  stpTiming,
} from "../../../../transport/stp/mod.ts";
import { hostBlockOffset } from "../../../../transport/stp/stg_layout.ts";
import { MemoryMedium } from "./memory_volume.ts";
import { connectPair, failure, openMemoryBed, SHORT } from "./stp_bed.ts";

const { clock, random } = await currentRuntime();
const MIB = 1024 * 1024;

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function kept<T extends { close(): Promise<void> }>(one: T): T {
  opened.push(one);
  return one;
}

function volumes(count: number, bytes = 16 * MIB) {
  return Array.from({ length: count }, (_, index) => new MemoryMedium(bytes).open(`v${index}`));
}

describe("formatStg()", () => {
  test("makes a group that opens with the same identity", async () => {
    const pair = volumes(2);
    const identity = await formatStg({ name: "stg0", volumes: pair, random });
    expect(await readStgIdentity({ name: "stg0", volumes: pair })).toEqual(identity);
  });

  test("refuses data of an unknown kind where that is wanted, unless forced", async () => {
    const one = volumes(1);
    const options = { name: "stg0", volumes: one, random, refuseForeign: true };
    const data = new Uint8Array(4096).fill(7);
    await one[0]?.write(0, data);
    expect((await failure(formatStg(options))).message).toContain("data of an unknown kind");
    const found = new Uint8Array(4096);
    await one[0]?.read(0, found);
    expect(found).toEqual(data);
    await formatStg({ ...options, force: true });
    await formatStg({ ...options, volumes: volumes(1) });
  });

  test("refuses a volume that carries a group, unless forced", async () => {
    const one = volumes(1);
    const first = await formatStg({ name: "stg0", volumes: one, random });
    const refused = await failure(formatStg({ name: "stg1", volumes: one, random }));
    expect(refused.code).toBe("busy");
    expect(refused.message).toContain(`"v0": it carries storage transport group "stg0"`);
    const second = await formatStg({ name: "stg1", volumes: one, random, force: true });
    expect(second.uuid).not.toBe(first.uuid);
  });

  test("refuses, also when forced, while a host beats", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const options = { name: "stg1", volumes: bed.hosts[0].volumes, random };
    const refused = await failure(formatStg({ ...options, clock, timing: SHORT, force: true }));
    expect(refused.code).toBe("busy");
    expect(refused.message).toContain(`host 1 "host1" uses it`);
  });

  test("says which size it needs", async () => {
    const refused = await failure(formatStg({ name: "s", volumes: volumes(1, MIB), random }));
    expect(refused.code).toBe("no_space");
    expect(refused.message).toMatch(/has 1048576 bytes, need \d+/);
  });
});

describe("readStgIdentity()", () => {
  test("names what is wrong with the volumes", async () => {
    const [a, b] = [volumes(2), volumes(2)];
    await formatStg({ name: "stg0", volumes: a, random });
    await formatStg({ name: "stg0", volumes: b, random });
    const [a0, a1, b1] = [a[0], a[1], b[1]];
    if (a0 === undefined || a1 === undefined || b1 === undefined) throw new Error("two each");
    const open = (name: string, list: typeof a) =>
      failure(readStgIdentity({ name, volumes: list }));
    expect((await open("stg0", volumes(1))).message).toContain("not formatted");
    expect((await open("stg0", [a1, a0])).message).toContain(`"v1" is number 1`);
    expect((await open("stg0", [a0, b1])).message).toContain(`"v1" belongs to group`);
    expect((await open("stg0", [a0])).message).toContain("1 volumes, need all 2");
    expect((await open("other", a)).message).toContain(`carry group "stg0"`);
  });

  test("tells damage and other versions apart", async () => {
    const medium = new MemoryMedium(16 * MIB);
    const one = [medium.open("v0")];
    await formatStg({ name: "stg0", volumes: one, random });
    medium.bytes[100] = 0xff;
    expect((await failure(readStgIdentity({ name: "stg0", volumes: one }))).code).toBe("damaged");
    medium.bytes[8] = 9;
    expect((await failure(readStgIdentity({ name: "stg0", volumes: one }))).code)
      .toBe("unsupported");
  });
});

describe("StgMember", () => {
  test("join() is refused with the holder's name while the id is alive", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const again = { identity: bed.identity, volumes: bed.hosts[1].volumes, clock, random };
    const refused = await failure(
      StgMember.join({ ...again, hostId: 1, hostName: "thief", timing: SHORT }),
    );
    expect(refused.code).toBe("busy");
    expect(refused.message).toContain(`"host1" holds it`);
    const bad = await failure(StgMember.join({ ...again, hostId: 99, hostName: "x" }));
    expect(bad.code).toBe("usage");
  });

  test("join() takes an id that was given back at once, with a new generation", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    await bed.hosts[0].member.close();
    const options = { identity: bed.identity, volumes: bed.hosts[1].volumes, clock, random };
    // Were the id watched, it would take 250 s.
    const timing = { ...SHORT, heartbeatMs: 100_000, deadMs: 400_000 };
    const next = kept(await StgMember.join({ ...options, hostId: 1, hostName: "n", timing }));
    expect(next.claim.generation).toBe(bed.hosts[0].member.claim.generation + 1);
  });

  test("join() takes the id of a killed process after it watched", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    bed.paths[0].cut = true;
    const options = { identity: bed.identity, volumes: bed.hosts[1].volumes, clock, random };
    const next = await StgMember.join({ ...options, hostId: 1, hostName: "n", timing: SHORT });
    kept(next);
    expect(next.claim.generation).toBe(2);
  });

  test("of two that claim one id at once, at most one gets it", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const join = (hostName: string) =>
      StgMember.join({
        identity: bed.identity,
        volumes: bed.hosts[0].volumes,
        clock,
        random,
        hostId: 3,
        hostName,
        timing: SHORT,
      });
    const results = await Promise.allSettled([join("one"), join("two")]);
    const joined = results.filter((result) => result.status === "fulfilled");
    for (const result of joined) kept(result.value);
    expect(joined.length).toBe(1);
  });

  test("onLost() tells when another process writes the block", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const volume = bed.hosts[1].volumes[0];
    if (volume === undefined) throw new Error("a volume");
    const block = await readHostBlock(bed.identity, volume, 1);
    if (block === null) throw new Error("host 1 is there");
    const lost = new Promise<AgentError>((resolve) => bed.hosts[0].member.onLost(resolve));
    const taken = { generation: block.generation + 1, claim: "00000000000000ff", name: "thief" };
    const thief = encodeHostBlock({ ...block, ...taken });
    await volume.write(hostBlockOffset(bed.identity.layout, 1), thief);
    expect((await lost).message).toContain(`"thief" wrote its host block`);
    expect(() => bed.hosts[0].member.lease(1)).toThrow("thief");
    const after = await readHostBlock(bed.identity, volume, 1);
    expect(after?.name).toBe("thief");
  });

  test("onLost() tells when no volume takes a heartbeat any more", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const lost = new Promise<AgentError>((resolve) => bed.hosts[0].member.onLost(resolve));
    bed.paths[0].cut = true;
    expect((await lost).message).toContain("no heartbeat for");
  });

  test("release() ends what a worker left open", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const [a] = await connectPair(bed);
    const { layout } = bed.identity;
    const endpoints = Array.from({ length: layout.endpointsPerHost }, (_, index) => index);
    await bed.hosts[1].member.release({ leaseId: 1, endpoints, ports: [] });
    const reset = await failure(a.read(new Uint8Array(1)));
    expect(reset.message).toContain("the process that held it ended");
  });

  test("status() shows hosts and connections, as readStgStatus() does", async () => {
    const bed = kept(await openMemoryBed({ clock, random, timing: SHORT }));
    const [a, b] = await connectPair(bed);
    const { volumes } = bed.hosts[0];
    const outside = await readStgStatus(bed.identity, volumes, clock, stpTiming(SHORT));
    const { member } = bed.hosts[0];
    while (member.hosts().length < 2 || member.hosts().some((host) => host.live === null)) {
      await clock.sleep(SHORT.heartbeatMs ?? 0);
    }
    const inside = await member.status();
    for (const status of [outside, inside]) {
      expect(status.hosts.map((host) => [host.name, host.live])).toEqual([
        ["host1", true],
        ["host2", true],
      ]);
      expect(status.connections.map((one) => [one.host, one.peerHost, one.state])).toEqual([
        [1, 2, "established"],
        [2, 1, "established"],
      ]);
      for (const { ports, endpoints, errors, volumes } of status.hosts) {
        expect([ports, endpoints.used, endpoints.quarantined]).toEqual([[], 1, 0]);
        expect(Object.values(errors).every((count) => count === 0)).toBe(true);
        expect(volumes).toEqual(["v0"]);
      }
      expect(status.connections.map((one) => one.framesInFlight)).toEqual([0, 0]);
      expect(status.warnings).toEqual([]);
    }
    a.abort("done");
    b.abort("done");
  });
});
