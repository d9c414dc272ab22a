// What hosts count, and what others see of it: the host table, its rows and their reuse.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  arrayStatus,
  attachArray,
  type AttachedArray,
  createArray,
  type HostStatus,
  removeArray,
} from "../../../emulator/mod.ts";
import { decodeHostRow, encodeHostRow } from "../../../emulator/host_row_layout.ts";
import { MAX_HOST_ROWS, PUBLISH_REQUESTS } from "../../../emulator/limits.ts";
import { HostStatistics } from "../../../emulator/statistics.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
const record = new Uint8Array(RECORD).fill(1);

let place: TemporaryArray;
let hosts: AttachedArray[] = [];

beforeEach(async () => {
  place = await temporaryArray();
  const options = { volumes: 2, volumeBytes: 2 ** 20, boards: 1, cacheBytes: 4 * TRACK };
  createArray(place.path, { ...options, memory: "memory" }, place.parts);
});
afterEach(async () => {
  for (const host of hosts) host.close();
  hosts = [];
  await place.dispose();
});

function attach(hostName: string): AttachedArray {
  const host = attachArray(place.path, { hostName }, place.parts);
  hosts.push(host);
  return host;
}

function status(): { hosts: readonly HostStatus[]; v0: number; v1: number } {
  const { hosts, devices } = arrayStatus(place.path, place.parts);
  const [v0, v1] = devices.map((device) => device.writes);
  return { hosts, v0: v0 ?? -1, v1: v1 ?? -1 };
}

function names(): string[] {
  return status().hosts.map(({ host, attached }) => `${host} ${attached ? "on" : "off"}`);
}

describe("HostStatistics", () => {
  test("counts by device, sums over devices, and adds other hosts", () => {
    const [one, two] = [new HostStatistics(2), new HostStatistics(2)];
    one.count(0, "hits", 3);
    one.count(1, "hits", 4);
    one.count(1, "prefetchesWasted", 1);
    one.countWait(2.5);
    two.count(1, "hits", 10);
    two.countWait(7.5);
    two.add(one);
    expect([one.ofDevice(0).hits, one.total().hits, two.ofDevice(1).hits]).toEqual([3, 7, 14]);
    expect(two.total()).toMatchObject({ hits: 17, prefetchesWasted: 1, prefetchesUsed: 0 });
    expect(two.waits()).toEqual({ waits: 2, waitMicros: 10 });
  });
});

describe("delayed writes", () => {
  test("write() that must wait for a destage counts as delayed, by host, device and board", () => {
    const [one, two] = [attach("one"), attach("two")];
    for (let track = 0; track < 4; track++) one.volume("v0").write(track * TRACK, record);
    expect(one.counters()).toMatchObject({ delayedWrites: 0, destages: 0 });
    two.volume("v1").write(0, record);
    two.volume("v1").write(RECORD, record);
    expect(one.counters().delayedWrites).toBe(0);
    expect(two.counters()).toMatchObject({ delayedWrites: 1, destages: 1, evictions: 1 });
    const found = arrayStatus(place.path, place.parts);
    expect(found.boards[0]).toMatchObject({ delayedWrites: 1, pendingShare: 1 });
    // The write was to v1, what had to go was of v0.
    expect(found.devices.map((device) => device.delayedWrites)).toEqual([0, 1]);
    expect(found.devices.map((device) => device.destages)).toEqual([1, 0]);
  });
});

describe("host table", () => {
  test("shows each host's own figures while it is attached, and its last ones after", () => {
    const [one, two] = [attach("one"), attach("two")];
    one.volume("v0").write(0, record);
    for (let count = 0; count < 3; count++) two.volume("v1").write(0, record);
    two.volume("v1").read(0, new Uint8Array(RECORD));
    expect(status().hosts).toMatchObject([
      { host: "one", pid: process.pid, attached: true, writes: 1, writtenBytes: RECORD, reads: 0 },
      { host: "two", pid: process.pid, attached: true, writes: 3, reads: 1, hits: 1 },
    ]);
    two.close();
    expect(names()).toEqual(["one on", "two off"]);
    expect(status().hosts[1]).toMatchObject({ writes: 3, reads: 1, hits: 1 });
    expect(status()).toMatchObject({ v0: 1, v1: 3 });
  });

  test("a new host takes the row of one that ended, whose figures stay in the sums", () => {
    attach("one").volume("v0").write(0, record);
    const two = attach("two");
    for (let round = 0; round < 3; round++) {
      hosts[0]?.close();
      hosts[0] = attach(`next ${round}`);
      hosts.pop();
      hosts[0].volume("v0").write(0, record);
    }
    expect(names()).toEqual(["next 2 on", "two on"]);
    expect(status()).toMatchObject({ v0: 4, v1: 0 });
    expect(status().hosts[0]).toMatchObject({ writes: 1 });
    two.close();
  });

  test("a host that only hits in cache is shown within a bounded count of requests", () => {
    const host = attach("reader");
    const volume = host.volume("v0");
    volume.write(0, record);
    const bytes = new Uint8Array(RECORD);
    for (let count = 1; count <= 3 * PUBLISH_REQUESTS; count++) {
      volume.read(0, bytes);
      const shown = status().hosts[0]?.reads ?? 0;
      if (shown > count || shown <= count - PUBLISH_REQUESTS) throw new Error(`${count}: ${shown}`);
      if (count < PUBLISH_REQUESTS - 1) expect(shown).toBe(count);
    }
  });

  test("more hosts than rows attach and work, and the table stays bounded", () => {
    for (let count = 0; count < MAX_HOST_ROWS + 2; count++) attach(`host ${count}`);
    hosts.at(-1)?.volume("v0").write(0, record);
    expect(status().hosts).toHaveLength(MAX_HOST_ROWS);
    expect(arrayStatus(place.path, place.parts).devices[0]?.writePending).toBe(1);
  });

  test("a host that is killed is shown as gone, with what it did", async () => {
    const script = fileURLToPath(new URL("./writer_process.ts", import.meta.url).href);
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url).href);
    const deno = ["run", "-A", "--no-prompt", "-c", config, script];
    const args = ["Deno" in globalThis ? deno : [script], place.path, "16"].flat();
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    try {
      await output(child);
      expect(names()).toEqual([`writer ${child.pid} on`]);
      expect(status().hosts[0]?.pid).toBe(child.pid);
    } finally {
      if (child.pid !== undefined) process.kill(child.pid, "SIGKILL");
      await ended;
    }
    expect(names()).toEqual([`writer ${child.pid} off`]);
    // The writer first reads each of its records.
    const reads = () => arrayStatus(place.path, place.parts).devices[0]?.reads ?? 0;
    const before = reads();
    expect(before).toBeGreaterThanOrEqual(16);
    attach("heir").volume("v0").read(0, new Uint8Array(RECORD));
    expect(names()).toEqual(["heir on"]);
    expect(reads()).toBe(before + 1);
  });

  test("rows go with the array", () => {
    attach("one");
    attach("two").close();
    expect(readdirSync(`${place.path}/memory`)).toContain("host1");
    for (const host of hosts.splice(0)) host.close();
    removeArray(place.path, place.parts);
    expect(() => readdirSync(place.path)).toThrow();
  });

  test("a row that is damaged, or of another version, is no row and no reason to fail", () => {
    attach("one").close();
    const { files } = place.parts;
    const row = files.open(-100, `${place.path}/memory/host0`, { access: "write" });
    files.writeAllAt(row, 40, new Uint8Array([1]));
    files.close(row);
    expect(status().hosts).toEqual([]);
    attach("two");
    expect(names()).toEqual(["two on"]);
  });
});

describe("decodeHostRow()", () => {
  const header = { hostName: "web01 ü", pid: 77, devices: 3 };

  test("gives back what encodeHostRow() took, with names cut to their place", () => {
    expect(decodeHostRow(encodeHostRow(header))).toEqual(header);
    const long = decodeHostRow(encodeHostRow({ ...header, hostName: "ü".repeat(300) }));
    expect(long?.hostName).toBe("ü".repeat(112));
  });

  test("refuses every single changed byte", () => {
    const bytes = encodeHostRow(header);
    for (let at = 0; at < 64; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      expect(decodeHostRow(changed)).toBe(null);
    }
    expect(decodeHostRow(bytes.subarray(1))).toBe(null);
  });
});

function output(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`writer ended with ${code}`)));
  });
}
