// Whom a listener refuses for a while: by the rates, by address, and by the program that the kernel
// is given, which is run here over made-up packets.

import { describe, expect, test } from "bun:test";
import { addressGroup } from "../../../../transport/runtime/address_group.ts";
import { ArrivalPolicy } from "../../../../transport/runtime/arrival_policy.ts";
import { ARRIVAL_REFUSED_MAX } from "../../../../transport/runtime/limits.ts";
import { encodeSynFilter } from "../../../../transport/runtime/syn_filter.ts";

const LIMITS = {
  perAddress: { burst: 8, perSecond: 2 },
  total: { burst: 20, perSecond: 5 },
};

function arrive(policy: ArrivalPolicy, address: string, count: number, nowMs = 0): boolean[] {
  return Array.from({ length: count }, () => policy.arrived(address, nowMs));
}

describe("ArrivalPolicy", () => {
  test("refuses an address after its burst, once, and no other", () => {
    const policy = new ArrivalPolicy(LIMITS, 0);
    expect(arrive(policy, "10.0.0.1", 9)).toEqual([...Array(7).fill(false), true, false]);
    policy.arrived("10.0.0.2", 0);
    expect(policy.refused(0)).toEqual(["10.0.0.1"]);
  });

  test("lets it in again at its rate, later when more came in all the same", () => {
    const policy = new ArrivalPolicy(LIMITS, 0);
    arrive(policy, "10.0.0.1", 8);
    expect(policy.refused(499)).toEqual(["10.0.0.1"]);
    expect(policy.refused(500)).toEqual([]);
    arrive(policy, "10.0.0.1", 5, 500);
    expect(policy.refused(2_999)).toEqual(["10.0.0.1"]);
    expect(policy.refused(3_000)).toEqual([]);
  });

  test("refuses all when many addresses come", () => {
    const policy = new ArrivalPolicy(LIMITS, 0);
    for (let host = 1; host <= 20; host++) policy.arrived(`10.0.0.${host}`, 0);
    expect(policy.refused(0)).toBe("all");
    expect(policy.refused(500)).toEqual([]);
  });

  test("takes a /64 of IPv6 for one, and an address of IPv4 however it is written", () => {
    expect(addressGroup("fe80::1:2%eth0")).toBe("fe80000000000000");
    expect(addressGroup("2001:DB8:1:2:3:4:5:6")).toBe("20010db800010002");
    expect(addressGroup("2001:db8:1:2::9")).toBe("20010db800010002");
    expect(addressGroup("::1")).toBe("0000000000000000");
    expect(addressGroup("::ffff:10.1.2.3")).toBe("10.1.2.3");
    expect(addressGroup("10.1.2.3")).toBe("10.1.2.3");
    expect(addressGroup("nonsense:")).toBe("0000000000000000");
  });
});

const SYN = 0x02;
const ACK = 0x10;

interface Packet {
  /** The IP header. */
  readonly ip: Uint8Array;
  readonly flags: number;
}

function packet4(source: readonly number[], flags: number): Packet {
  const ip = new Uint8Array(20);
  ip[0] = 0x45;
  ip.set(source, 12);
  return { ip, flags };
}

function packet6(prefix: readonly number[], flags: number): Packet {
  const ip = new Uint8Array(40);
  ip[0] = 0x60;
  ip.set(prefix, 8);
  ip[23] = 7; // Some host of that network.
  return { ip, flags };
}

/** What the kernel does with it: runs the few instructions that the filter has. */
function takes(program: Uint8Array, { ip, flags }: Packet): boolean {
  const view = new DataView(program.buffer);
  const header = new DataView(ip.buffer);
  let value = 0;
  for (let at = 0;; at += 8) {
    const operand = view.getUint32(at + 4, true);
    const jump = (holds: boolean) => 8 * view.getUint8(at + (holds ? 2 : 3));
    const inIp = (operand + 0x10_0000) % 2 ** 32;
    const operation = view.getUint16(at, true);
    if (operation === 0x06) return operand !== 0;
    else if (operation === 0x05) at += 8 * operand;
    else if (operation === 0x15) at += jump(value === operand);
    else if (operation === 0x45) at += jump((value & operand) !== 0);
    else if (operation === 0x74) value >>>= operand;
    else if (operation === 0x20) value = header.getUint32(inIp);
    else value = operand === 13 ? flags : header.getUint8(inIp);
  }
}

describe("encodeSynFilter()", () => {
  const six = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2];
  const filter = encodeSynFilter(["10.0.0.1", "250.0.0.2", "20010db800010002"]);

  test("drops calls of who is refused", () => {
    expect(takes(filter, packet4([10, 0, 0, 1], SYN))).toBe(false);
    expect(takes(filter, packet4([250, 0, 0, 2], SYN))).toBe(false);
    expect(takes(filter, packet6(six, SYN))).toBe(false);
  });

  test("takes those of others, and whatever is no call", () => {
    expect(takes(filter, packet4([10, 0, 0, 2], SYN))).toBe(true);
    expect(takes(filter, packet6([...six.slice(0, 7), 3], SYN))).toBe(true);
    expect(takes(filter, packet6([0x20, 0x02, ...six.slice(2)], SYN))).toBe(true);
    expect(takes(filter, packet4([10, 0, 0, 1], ACK))).toBe(true);
    expect(takes(encodeSynFilter("all"), packet4([10, 0, 0, 1], ACK))).toBe(true);
    expect(takes(encodeSynFilter([]), packet4([10, 0, 0, 1], SYN))).toBe(true);
  });

  test("drops all calls when all are refused", () => {
    expect(takes(encodeSynFilter("all"), packet4([10, 0, 0, 9], SYN))).toBe(false);
    expect(takes(encodeSynFilter("all"), packet6(six, SYN))).toBe(false);
  });

  test("fits what the kernel takes, also with as many as can be named", () => {
    const hosts = Array.from({ length: ARRIVAL_REFUSED_MAX - 1 }, (_, host) => `10.0.0.${host}`);
    const many = encodeSynFilter([...hosts, "20010db800010002"]);
    expect(takes(many, packet6(six, SYN))).toBe(false);
    const groups = hosts.map((_, host) => host.toString(16).padStart(16, "0"));
    expect(encodeSynFilter(groups).length).toBeLessThan(16 * 1024);
  });
});
